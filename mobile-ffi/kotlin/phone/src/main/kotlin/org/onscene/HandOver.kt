package org.onscene

import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.EOFException
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runInterruptible
import org.onscene.core.MeetingFault
import org.onscene.core.MeetingState
import org.onscene.core.PhoneException
import org.onscene.core.PhoneMeeting

/** A pipe of messages to one other phone: Nearby, Wi-Fi Direct, a cable. */
interface Pipe {
    /** Sends a message; it may wait until there is room. */
    @Throws(IOException::class)
    suspend fun send(message: ByteArray)

    /** The next message; nothing once the other side has closed the pipe. */
    @Throws(IOException::class)
    suspend fun receive(): ByteArray?
}

/**
 * Gives a colleague's phone what it lacks and takes what this one lacks, without a network; to be run on
 * both phones. Returns when both have everything (`done`) or the pipe was closed. What came is on disk
 * and stays, also when this throws or is cancelled; another meeting gives the rest.
 *
 * Put a time limit around it: a phone that is carried away says nothing more.
 */
suspend fun Phone.handOver(pipe: Pipe): MeetingState = coroutineScope {
    val phone = this@handOver
    val meeting = phone { handOver() }
    val heard = Channel<Unit>(Channel.CONFLATED)
    // Both at once: two phones that both only send fill a pipe that holds little, and stand still.
    val giving = launch {
        do {
            while (true) pipe.send(phone { meeting.next() } ?: break)
        } while (heard.receiveCatching().isSuccess)
    }
    phone.listen(meeting, pipe) { heard.trySend(Unit) }
    heard.close()
    giving.join()
    phone { meeting.use { it.state() } }
}

private suspend fun Phone.listen(meeting: PhoneMeeting, pipe: Pipe, heard: () -> Unit) {
    do {
        val message = pipe.receive() ?: return
        val state = try {
            this { meeting.take(message) }
        } catch (error: PhoneException.Meeting) {
            // Of an earlier meeting, or damaged on the way: the rest still counts.
            if (error.code != MeetingFault.UNREADABLE) throw error
            null
        }
        heard()
    } while (state?.complete != true)
}

/** Messages over a pair of streams, each after its length as a big-endian number of four bytes. */
class StreamPipe(input: InputStream, output: OutputStream) : Pipe {
    private val input = DataInputStream(input)
    private val output = DataOutputStream(output)

    override suspend fun send(message: ByteArray) = runInterruptible(Dispatchers.IO) {
        output.writeInt(message.size)
        output.write(message)
        output.flush()
    }

    override suspend fun receive(): ByteArray? = runInterruptible(Dispatchers.IO) {
        val size = try {
            input.readInt()
        } catch (_: EOFException) {
            return@runInterruptible null
        }
        if (size !in 0..LONGEST) throw IOException("a message of $size bytes: that is no pipe of a phone")
        ByteArray(size).also(input::readFully)
    }

    private companion object {
        /** What the core takes at most. */
        const val LONGEST = 192 * 1024
    }
}
