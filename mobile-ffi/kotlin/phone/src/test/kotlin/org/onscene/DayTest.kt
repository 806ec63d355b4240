package org.onscene

import java.io.File
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.copyToRecursively
import kotlin.io.path.createDirectories
import kotlin.io.path.deleteRecursively
import kotlin.io.path.exists
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import org.onscene.core.Enrolment
import org.onscene.core.FileState
import org.onscene.core.HistoryEvent
import org.onscene.core.KeyFault
import org.onscene.core.PhoneEventKind
import org.onscene.core.PhoneException
import org.onscene.core.RecordState
import org.onscene.core.VisitOutcome
import org.onscene.core.VisitReport
import org.onscene.core.recoveryFile
import org.onscene.core.setAside

/** A bad day of one phone: its process is killed after every step, and worse. */
@OptIn(ExperimentalPathApi::class)
class DayTest {
    @TempDir
    lateinit var dir: Path

    private val phoneDir get() = dir.resolve("phone").createDirectories()

    @Test
    fun `an offline day ends with everything delivered and verified`() = runBlocking {
        Cutter().use { network ->
            Server(dir.resolve("hub"), network.port).use { server ->
                network.server = server.port
                day(server, network)
            }
        }
    }

    private suspend fun day(server: Server, network: Cutter) {
        step("enrol", "${server.url} ${server.inspector("张巡查")}")
        val case = server.order(Recording.place.latitude, Recording.place.longitude, 80)
        step("sync")
        val colleague = Handset(dir.resolve("colleague")).open(OkHttpTransport())
        colleague { enrol(Enrolment(server.url, server.inspector("李巡查"), null, false)) }
        colleague.deliverAll()

        network.passes.set(0)
        step("accept")
        step("tap")
        step("stand there", "70")
        step("claim")
        step("take a photo", "1")
        step("open the camera", "2")
        step("finish what was begun")
        step("report", "摊贩已劝离")
        backUp()
        step("try to sync")

        val other = VisitReport(VisitOutcome.UNFOUNDED, "没有找到", emptyList(), null)
        network.passes.set(Long.MAX_VALUE)
        val visit = colleague { myWork() }.single().visit
        colleague { reportOutcome(visit, other) }
        colleague.deliverAll()

        network.passes.set(300_000)
        repeat(2) { step("try to sync") }
        network.passes.set(Long.MAX_VALUE)
        for (ms in listOf(400L, 900L, 1_600L)) step("sync", killedAfterMs = ms)
        val before = network.passed.get()
        step("sync")
        val sent = network.passed.get() - before
        assertTrue(sent < 2_500_000, "two photos of 900 kB took $sent bytes in the last round alone")
        step("choose")
        step("tell", "已当场告知")
        step("sync")

        restore()
        step("note", "恢复之后")
        step("sync")
        verify(case, server)
        loseKey(server)
        colleague.close()
    }

    private suspend fun verify(case: String, server: Server) {
        val phone = Handset(phoneDir).open(JdkTransport())
        val records = phone { records(0, 100) }
        assertTrue(records.isNotEmpty() && records.all { it.state == RecordState.Verified }, "$records")
        val files = phone { evidence(0, 100) }
        assertEquals(2, files.size)
        assertTrue(files.all { it.state is FileState.Verified }, "$files")
        assertEquals(0, phone { unfinishedCaptures() }.size)
        val kinds = phone { eventsSince(0, 1_000) }.map { it.kind }
        assertTrue(PhoneEventKind.RENEWED in kinds, "$kinds")
        assertTrue(PhoneEventKind.ALARM !in kinds, "$kinds")
        val work = phone { myWork() }.single()
        assertTrue(work.accepted && work.arrived && work.done)
        val visit = phone { phoneCase(case) }.orders.single()
        assertTrue(visit.result != null, "$visit")
        val arrived = visit.history.map { it.event }.filterIsInstance<HistoryEvent.Arrived>()
        val fixes = Recording.window(LinuxClock().read(), 70).fixes.size.toLong()
        assertEquals(listOf(fixes), arrived.map { it.fixes })
        assertTrue(server.case(case).toString().contains("proven_inside"))
        phone.close()
    }

    /** The hardware forgets its keys: the store says so, and the inspector begins anew beside it. */
    private suspend fun loseKey(server: Server) {
        val handset = Handset(phoneDir)
        handset.loseKeys()
        val lost = assertThrows<PhoneException.Key> { runBlocking { handset.open(JdkTransport()) } }
        assertEquals(KeyFault.STORE to false, lost.code to lost.retryable)
        val store = "${handset.store}/phone.db"
        assertEquals(0, recoveryFile(store, "$dir/for-the-bureau"), "everything was delivered")
        assertTrue(Path.of(setAside(store)).exists())
        val next = Handset(dir.resolve("next")).open(JdkTransport())
        next { enrol(Enrolment(server.url, server.inspector("张巡查"), null, false)) }
        next.deliverAll()
        assertEquals(1, next { myWork() }.size)
        next.close()
    }

    private fun backUp() {
        Handset(phoneDir).store.copyToRecursively(dir.resolve("backup"), followLinks = false)
    }

    private fun restore() {
        val store = Handset(phoneDir).store
        store.deleteRecursively()
        dir.resolve("backup").copyToRecursively(store, followLinks = false)
    }

    /** Lets a process take one step and kills it: when it is done, or in the midst of it. */
    private fun step(name: String, argument: String = "", killedAfterMs: Long? = null) {
        val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
        val passed = listOf("jna.library.path", "onscene.fixtures").map { "-D$it=${System.getProperty(it)}" }
        val log = File("$phoneDir.log")
        val command = listOf(java, "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path")) + passed +
            listOf("org.onscene.Inspector", "$phoneDir", name, argument)
        val child = ProcessBuilder(command).redirectError(log).start()
        try {
            if (killedAfterMs != null) {
                child.waitFor(killedAfterMs, TimeUnit.MILLISECONDS)
            } else {
                val said = child.inputReader().readLine()
                check(said == Inspector.DONE) { "\"$name\" failed: ${log.readText()}" }
            }
        } finally {
            child.destroyForcibly().waitFor()
        }
        assertEquals(SIGKILL, child.exitValue(), "\"$name\" ended by itself: ${log.readText()}")
    }

    private companion object {
        const val SIGKILL = 128 + 9
    }
}
