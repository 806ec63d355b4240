package org.onscene

import java.io.IOException
import java.util.concurrent.TimeUnit
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Call
import okhttp3.Callback
import okhttp3.MediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okio.BufferedSink
import okio.source
import org.onscene.core.PhoneHeader
import org.onscene.core.PhoneReply

/** Requests over OkHttp: for Android, and wherever an app has it already. */
class OkHttpTransport(client: OkHttpClient = OkHttpClient()) : Transport {
    // An answer is taken in once, by the core: nothing may send a request twice or elsewhere.
    private val client = client.newBuilder()
        .followRedirects(false)
        .retryOnConnectionFailure(false)
        .cache(null)
        .build()

    override suspend fun send(request: Outgoing): PhoneReply {
        val body = when (val body = request.body) {
            Body.Empty -> if (request.method in BODILESS) null else ByteArray(0).toRequestBody()
            is Body.Bytes -> body.bytes.toRequestBody()
            is Body.Range -> RangeBody(body)
        }
        val http = Request.Builder().url(request.url).method(request.method, body)
        request.headers.forEach { http.header(it.name, it.value) }
        // Asking for an encoding by name keeps OkHttp from taking it off unseen.
        if (request.headers.none { it.name.equals("accept-encoding", ignoreCase = true) }) {
            http.header("accept-encoding", "identity")
        }
        val call = client.newBuilder()
            .callTimeout(request.deadlineMs, TimeUnit.MILLISECONDS)
            .readTimeout(request.deadlineMs, TimeUnit.MILLISECONDS)
            .build()
            .newCall(http.build())
        return call.await()
    }

    private companion object {
        val BODILESS = setOf("GET", "HEAD")
    }
}

private class RangeBody(private val range: Body.Range) : RequestBody() {
    override fun contentType(): MediaType? = null

    override fun contentLength(): Long = range.length

    override fun isOneShot(): Boolean = true

    override fun writeTo(sink: BufferedSink) {
        range.open().source().use { sink.write(it, range.length) }
    }
}

private suspend fun Call.await(): PhoneReply = suspendCancellableCoroutine { waiting ->
    waiting.invokeOnCancellation { cancel() }
    enqueue(object : Callback {
        override fun onFailure(call: Call, e: IOException) = waiting.resumeWithException(e)

        override fun onResponse(call: Call, response: Response) {
            val reply = try {
                response.use { PhoneReply(it.code, it.headers.map { (name, value) -> PhoneHeader(name, value) }, it.body.bytes()) }
            } catch (error: IOException) {
                return waiting.resumeWithException(error)
            }
            waiting.resume(reply)
        }
    })
}
