package org.onscene

import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import java.time.Duration
import java.util.concurrent.CompletionException
import kotlinx.coroutines.future.await
import org.onscene.core.PhoneHeader
import org.onscene.core.PhoneReply

/** Requests over `java.net.http`: for the JVM. Android has no such class; use [OkHttpTransport] there. */
class JdkTransport(private val client: HttpClient = HttpClient.newHttpClient()) : Transport {
    override suspend fun send(request: Outgoing): PhoneReply {
        val publisher = when (val body = request.body) {
            Body.Empty -> BodyPublishers.noBody()
            is Body.Bytes -> BodyPublishers.ofByteArray(body.bytes)
            // The length makes it one body of known size instead of chunks.
            is Body.Range -> BodyPublishers.fromPublisher(BodyPublishers.ofInputStream(body::open), body.length)
        }
        val http = HttpRequest.newBuilder(URI(request.url))
            .method(request.method, publisher)
            .timeout(Duration.ofMillis(request.deadlineMs))
        // Without TLS the client would try an upgrade that proxies stumble over.
        if (!request.url.startsWith("https:")) http.version(HttpClient.Version.HTTP_1_1)
        request.headers.forEach { http.header(it.name, it.value) }
        val answer = try {
            client.sendAsync(http.build(), BodyHandlers.ofByteArray()).await()
        } catch (error: CompletionException) {
            throw error.cause ?: error
        }
        val headers = answer.headers().map().flatMap { (name, values) -> values.map { PhoneHeader(name, it) } }
        return PhoneReply(answer.statusCode(), headers, answer.body())
    }
}
