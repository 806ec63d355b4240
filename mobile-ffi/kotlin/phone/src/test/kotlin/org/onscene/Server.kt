package org.onscene

import java.io.File
import java.net.ServerSocket
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.io.path.readText
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** The real server on loopback with a squad, and its command centre. Phones may reach it through [Cutter]. */
class Server(private val dir: Path, reachedAt: Int? = null) : AutoCloseable {
    val port = ServerSocket(0).use { it.localPort }

    /** Where phones reach it: at a port of the network in front of it, if there is one. */
    val url = "http://127.0.0.1:${reachedAt ?: port}"
    private val desk = "http://127.0.0.1:$port"
    private val client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()
    private val process: Process
    private val squad: String
    private val dispatcher: String

    init {
        val program = ProcessBuilder(System.getProperty("onscene.server"), "serve")
            .redirectErrorStream(true)
            .redirectOutput(File("$dir.log"))
        program.environment().keys.removeIf { it.startsWith("ONSCENE_") }
        program.environment() += mapOf(
            "ONSCENE_DATA__DIR" to "$dir",
            "ONSCENE_HTTP__LISTEN" to "127.0.0.1:$port",
            "ONSCENE_HTTP__PUBLIC_URL" to url,
        )
        process = program.start()
        ready()
        val city = get("/v1/units")["units"].jsonArray[0]["id"].text
        squad = post("/v1/units", """{"name": "一中队", "parent": "$city"}""")["id"].text
        val person = """{"name": "值班员", "role": "dispatcher", "unit": "$city"}"""
        val id = post("/v1/people", person)["id"].text
        dispatcher = post("/v1/people/$id/keys", """{"label": "test", "days": 1}""")["key"].text
    }

    /** A one-time code for a new inspector of the squad. */
    fun inspector(name: String): String {
        val body = """{"name": "$name", "role": "inspector", "unit": "$squad"}"""
        val id = post("/v1/people", body)["id"].text
        return post("/v1/people/$id/enrolment-codes", "{}")["code"].text
    }

    /** A case at a place (WGS 84), ordered out to the squad; returns the case's id. */
    fun order(latitude: Double, longitude: Double, radiusM: Int): String {
        val site = """{"datum": "wgs84", "circle":
            {"centre": {"lat": $latitude, "lon": $longitude}, "radius_m": $radiusM}}"""
        val body = """{"class": "complaint", "channel": "telephone", "matter": "street_vending",
            "summary": "流动摊贩占用人行道", "site": $site}"""
        val case = post("/v1/cases", body, dispatcher)["id"].text
        post("/v1/cases/$case/orders", """{"unit": "$squad", "text": "请于60分钟内到达现场"}""", dispatcher)
        return case
    }

    /** A case as the command centre sees it. */
    fun case(id: String): JsonElement = get("/v1/cases/$id", dispatcher)

    override fun close() {
        process.destroy()
        if (!process.waitFor(10, TimeUnit.SECONDS)) process.destroyForcibly().waitFor()
    }

    private val admin get() = dir.resolve("admin.key").readText().trim()

    private fun ready() {
        repeat(600) {
            check(process.isAlive) { "the server ended by itself: ${File("$dir.log").readText()}" }
            val live = HttpRequest.newBuilder(URI("$desk/health/ready")).build()
            if (runCatching { client.send(live, BodyHandlers.discarding()).statusCode() }.getOrNull() == 200) return
            Thread.sleep(50)
        }
        error("the server did not become ready")
    }

    private fun get(path: String, key: String = admin) = send(HttpRequest.newBuilder(URI(desk + path)).GET(), key)

    private fun post(path: String, body: String, key: String = admin) = send(
        HttpRequest.newBuilder(URI(desk + path))
            .header("content-type", "application/json")
            .POST(BodyPublishers.ofString(body)),
        key,
    )

    private fun send(request: HttpRequest.Builder, key: String): JsonElement {
        val answer = client.send(request.header("authorization", "Bearer $key").build(), BodyHandlers.ofString())
        check(answer.statusCode() in 200..299) { "${answer.uri()}: ${answer.statusCode()} ${answer.body()}" }
        return Json.parseToJsonElement(answer.body())
    }
}

operator fun JsonElement.get(key: String): JsonElement = jsonObject.getValue(key)

val JsonElement.text: String get() = jsonPrimitive.content
