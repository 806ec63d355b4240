package org.onscene

import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread

/** A network between phones and the server that can break in the middle of anything. */
class Cutter : AutoCloseable {
    private val listener = ServerSocket(0, 50, InetAddress.getLoopbackAddress())
    val port: Int = listener.localPort

    /** The server's port behind it. */
    @Volatile
    var server = 0

    /** So many bytes of a connection come through from a phone, then it breaks. */
    val passes = AtomicLong(Long.MAX_VALUE)

    /** All bytes that came through from phones. */
    val passed = AtomicLong()

    init {
        thread(isDaemon = true) {
            while (!listener.isClosed) runCatching { carry(listener.accept()) }
        }
    }

    override fun close() = listener.close()

    private fun carry(phone: Socket) {
        val server = Socket(InetAddress.getLoopbackAddress(), server)
        val limit = passes.get()
        thread(isDaemon = true) {
            breaking(phone, server) { pump(phone.getInputStream(), server.getOutputStream(), limit, passed) }
        }
        thread(isDaemon = true) {
            breaking(phone, server) { pump(server.getInputStream(), phone.getOutputStream(), Long.MAX_VALUE, AtomicLong()) }
        }
    }

    private fun breaking(one: Socket, other: Socket, work: () -> Unit) = try {
        work()
    } catch (_: IOException) {
        // The other direction broke first.
    } finally {
        one.close()
        other.close()
    }

    private fun pump(from: InputStream, to: OutputStream, limit: Long, count: AtomicLong) {
        val buffer = ByteArray(8 * 1024)
        var left = limit
        while (left > 0) {
            val read = from.read(buffer, 0, minOf(left, buffer.size.toLong()).toInt())
            if (read < 0) return
            to.write(buffer, 0, read)
            left -= read
            count.addAndGet(read.toLong())
        }
    }
}
