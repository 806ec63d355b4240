package org.onscene

import java.io.File
import java.io.FilterInputStream
import java.io.IOException
import java.io.InputStream
import org.onscene.core.PhoneHeader
import org.onscene.core.PhoneReply

/** A request to be sent as it is: no redirect, no cache, no cookies, and nothing decompressed. */
class Outgoing(
    val method: String,
    val url: String,
    val headers: List<PhoneHeader>,
    val body: Body,
    val deadlineMs: Long,
)

/** What a request carries. */
sealed interface Body {
    /** Nothing. */
    data object Empty : Body

    /** Case data. */
    class Bytes(val bytes: ByteArray) : Body

    /** A part of a file, read while it is sent. */
    data class Range(val path: String, val offset: Long, val length: Long) : Body {
        /** The part. It ends early if the file is shorter; then the request fails. */
        fun open(): InputStream {
            val file = File(path).inputStream()
            try {
                file.channel.position(offset)
            } catch (error: IOException) {
                file.close()
                throw error
            }
            return Limited(file, length)
        }
    }
}

/** Carries requests. The app's own HTTP client can stand behind it. */
fun interface Transport {
    /** Sends a request; the body of the answer is as it came over the wire. */
    @Throws(IOException::class)
    suspend fun send(request: Outgoing): PhoneReply
}

internal suspend inline fun Transport.sendOrTell(
    request: Outgoing,
    failed: (String) -> PhoneReply,
): PhoneReply =
    try {
        send(request)
    } catch (error: IOException) {
        failed(error.message ?: error.javaClass.simpleName)
    }

private class Limited(file: InputStream, private var left: Long) : FilterInputStream(file) {
    override fun read(): Int {
        if (left <= 0) return -1
        return super.read().also { if (it >= 0) left -= 1 }
    }

    override fun read(buffer: ByteArray, offset: Int, length: Int): Int {
        if (left <= 0) return -1
        return super.read(buffer, offset, minOf(length.toLong(), left).toInt()).also { if (it > 0) left -= it }
    }
}
