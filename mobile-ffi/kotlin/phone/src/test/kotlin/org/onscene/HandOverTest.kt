package org.onscene

import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.nio.file.Path
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.jsonArray
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import org.onscene.core.CarriedCounts
import org.onscene.core.Enrolment
import org.onscene.core.FrameTaken
import org.onscene.core.MeetingFault
import org.onscene.core.MeetingState
import org.onscene.core.PhoneEventKind
import org.onscene.core.PhoneException
import org.onscene.core.RecordState
import org.onscene.core.VisitOutcome
import org.onscene.core.VisitReport

class HandOverTest {
    @TempDir
    lateinit var dir: Path

    /** A colleague with a phone that can be taken out of coverage. */
    private inner class Colleague(name: String) {
        val handset = Handset(dir.resolve(name))
        var online = true
        private val http = JdkTransport()
        val phone = runBlocking {
            handset.open { if (online) http.send(it) else throw IOException("no network") }
        }

        init {
            runBlocking {
                phone { enrol(Enrolment(server.url, server.inspector(name), null, false)) }
                assertEquals(SyncEnd.Done, phone.sync())
            }
        }

        suspend fun states() = phone { records(0, 100) }.map { it.state }
    }

    /** Two ends of a connection that holds a few hundred kilobytes at most. */
    private fun connected(): Pair<Socket, Socket> = ServerSocket(0, 1, InetAddress.getLoopbackAddress()).use {
        val near = Socket(it.inetAddress, it.localPort)
        Pair(near, it.accept())
    }

    private fun pipe(socket: Socket) = StreamPipe(socket.getInputStream(), socket.getOutputStream())

    private suspend fun meet(one: Phone, other: Phone): Pair<MeetingState, MeetingState> = coroutineScope {
        val (near, far) = connected()
        near.use {
            far.use {
                withTimeout(60_000) {
                    val mine = async { one.handOver(pipe(near)) }
                    val theirs = async { other.handOver(pipe(far)) }
                    Pair(mine.await(), theirs.await())
                }
            }
        }
    }

    @Test
    fun `two phones without a network hand over, and the one that is online first delivers for both`() = runBlocking {
        val anna = Colleague("Anna")
        val bo = Colleague("Bo")
        val case = server.order(Recording.place.latitude, Recording.place.longitude, 80)
        assertEquals(SyncEnd.Done, anna.phone.sync())
        anna.online = false
        bo.online = false
        val work = anna.phone { myWork() }.single { it.caseId == case }
        anna.phone { arrive(work.visit, Recording.window(anna.handset.clock.read(), 70)) }
        repeat(40) { n -> anna.phone { note(work.visit, "$n ${"对面有三个摊位".repeat(100)}") } }
        assertEquals(0, bo.phone { myWork() }.size)

        val (toAnna, toBo) = meet(anna.phone, bo.phone)
        assertEquals(emptyList<String>(), toBo.refused)
        assertEquals(Pair(41L, 0L), Pair(toBo.changes, toAnna.changes))
        assertTrue(toAnna.done && toBo.done)
        val known = bo.phone { myWork() }.single { it.caseId == case }
        assertTrue(known.arrived, "the order and what was done about it are on the other phone")
        val report = VisitReport(VisitOutcome.UNFOUNDED, "现场未发现摊贩", emptyList(), null)
        bo.phone { reportOutcome(known.visit, report) }
        val (back, _) = meet(anna.phone, bo.phone)
        assertEquals(1, back.changes)
        assertEquals(CarriedCounts(41, 0, 0), bo.phone { carried() })
        assertEquals(setOf<RecordState>(RecordState.Saved), anna.states().toSet())

        bo.online = true
        bo.phone.deliverAll()
        assertEquals(CarriedCounts(0, 41, 0), bo.phone { carried() })
        assertEquals(1, claims(case), "the arrival of a phone that was never online counts")
        anna.online = true
        anna.phone.deliverAll()
        assertEquals(setOf<RecordState>(RecordState.Verified), anna.states().toSet())
        assertEquals(1, claims(case), "and counts once")
        val kinds = (anna.phone { eventsSince(0, 200) } + bo.phone { eventsSince(0, 200) }).map { it.kind }
        assertTrue(PhoneEventKind.HANDED_OVER in kinds)
        assertFalse(kinds.any { it == PhoneEventKind.REFUSED || it == PhoneEventKind.ALARM }, "$kinds")
        listOf(anna, bo).forEach { it.phone.close() }
    }

    @Test
    fun `frames from screen to camera are enough, seen twice and out of order`() = runBlocking {
        val anna = Colleague("An")
        val bo = Colleague("Bao")
        val patrol = anna.phone { beginPatrol() }
        anna.phone { note(patrol, "井盖松动") }
        val giving = anna.phone { handOver() }
        val taking = bo.phone { handOver() }
        anna.phone { giving.next() }
        val hello = bo.phone { taking.next() }!!
        anna.phone { giving.take(hello) }
        val frames = generateSequence { giving.next() }.flatMap { giving.frames(it, 200) }.toList().asReversed()
        val damaged = frames[0].clone().also { it[9] = (it[9] + 1).toByte() }
        assertEquals(FrameTaken.Damaged, taking.takeFrame(damaged))
        val taken = frames.flatMap { listOf(taking.takeFrame(it), taking.takeFrame(it)) }
        assertEquals(FrameTaken.Gathering(1, frames.size), taken.first())
        val whole = taken.filterIsInstance<FrameTaken.Taken>().first()
        assertEquals(Pair(1L, true), Pair(whole.state.changes, whole.state.complete))
        val small = assertThrows<PhoneException.Invalid> { giving.frames(frames[0], 3) }
        assertEquals("bytes", small.field)
        listOf(giving, taking).forEach { it.close() }
        listOf(anna, bo).forEach { it.phone.close() }
    }

    @Test
    fun `who cannot be met is told apart, and a pipe that closes leaves what came`() = runBlocking {
        val anna = Colleague("Ann")
        val meeting = anna.phone { handOver() }
        val own = anna.phone { handOver() }.next()!!
        val mirror = assertThrows<PhoneException.Meeting> { meeting.take(own) }
        assertEquals(MeetingFault.MIRROR, mirror.code)
        val noise = assertThrows<PhoneException.Meeting> { meeting.take(byteArrayOf(1, 2, 3)) }
        assertEquals(MeetingFault.UNREADABLE, noise.code)
        val stranger = Handset(dir.resolve("stranger")).open(JdkTransport())
        assertThrows<PhoneException.NotEnrolled> { runBlocking { stranger { handOver().next() } } }
        val (near, far) = connected()
        far.shutdownOutput()
        val state = far.use { near.use { anna.phone.handOver(pipe(near)) } }
        assertFalse(state.complete || state.done)
        listOf(anna.phone, stranger).forEach { it.close() }
    }

    private fun claims(case: String): Int = server.case(case)["orders"].jsonArray[0]["claims"].jsonArray.size

    companion object {
        lateinit var server: Server

        @BeforeAll
        @JvmStatic
        fun start(@TempDir dir: Path) {
            server = Server(dir.resolve("hub"))
        }

        @AfterAll
        @JvmStatic
        fun stop() = server.close()
    }
}
