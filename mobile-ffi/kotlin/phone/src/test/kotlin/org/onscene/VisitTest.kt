package org.onscene

import java.nio.file.Path
import kotlin.io.path.writeBytes
import kotlin.random.Random
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource
import org.onscene.core.Enrolment
import org.onscene.core.EvidenceFile
import org.onscene.core.FileState
import org.onscene.core.KeyFault
import org.onscene.core.MediaKind
import org.onscene.core.PhoneEventKind
import org.onscene.core.PhoneException
import org.onscene.core.PlaceGrade
import org.onscene.core.RecordState
import org.onscene.core.VisitOutcome
import org.onscene.core.VisitReport
import org.onscene.core.coreInfo

class VisitTest {
    @TempDir
    lateinit var dir: Path

    private val handset by lazy { Handset(dir.resolve("phone")) }

    private suspend fun enrolled(transport: Transport = JdkTransport(), handset: Handset = this.handset): Phone {
        val phone = handset.open(transport)
        phone { enrol(Enrolment(server.url, server.inspector("巡查员"), null, false)) }
        assertEquals(SyncEnd.Done, phone.sync())
        assertNotNull(phone { standing() })
        return phone
    }

    @ParameterizedTest
    @ValueSource(strings = ["jdk", "okhttp"])
    fun `a visit with a photo, recorded offline, is verified after one round`(kind: String) = runBlocking {
        var online = true
        val http = if (kind == "jdk") JdkTransport() else OkHttpTransport()
        val phone = enrolled({ if (online) http.send(it) else throw java.io.IOException("no network") })
        val case = server.order(Recording.place.latitude, Recording.place.longitude, 80)
        assertEquals(SyncEnd.Done, phone.sync())
        online = false

        val work = withTimeout(5_000) { phone.work.first { it.isNotEmpty() } }.single { it.caseId == case }
        phone { accept(work.order) }
        val window = Recording.window(handset.clock.read(), 70)
        val likely = phone { expectedArrival(work.visit, window) }
        assertEquals(PlaceGrade.PROVEN_INSIDE, likely?.place, "$likely")
        val arrival = phone { arrive(work.visit, window) }
        assertEquals(likely?.place, arrival.likely?.place)
        val photo = phone {
            val capture = beginCapture(work.visit, EvidenceFile(MediaKind.PHOTO, "jpg", null))
            Path.of(capture.path).writeBytes(JPEG + Random(1).nextBytes(700_000))
            finishCapture(capture.id, null)
        }
        val report = VisitReport(VisitOutcome.STOPPED, "摊贩已劝离", listOf(photo), true)
        phone { reportOutcome(work.visit, report) }
        assertTrue(phone.sync() is SyncEnd.Unanswered)
        assertEquals("no network", phone { lastFailure() })
        assertEquals(4, phone { counts() }.saved)

        online = true
        assertEquals(SyncEnd.Done, phone.sync())
        val records = phone { records(0, 100) }
        assertTrue(records.all { it.state == RecordState.Verified }, "$records")
        val file = phone { evidence(0, 100) }.single()
        assertTrue(file.state is FileState.Verified, "$file")
        assertTrue(phone { myWork() }.single { it.caseId == case }.done)
        assertEquals(PhoneEventKind.ENROLLED, phone.events().first().kind)
        phone.close()
    }

    @Test
    fun `what cannot be taken, a closed store and a lost key are told apart`() = runBlocking {
        val phone = enrolled()
        val wrong = assertThrows<PhoneException.Invalid> { runBlocking { phone { note("here", "x") } } }
        assertEquals("visit", wrong.field)
        phone.suspend()
        assertThrows<PhoneException.Suspended> { runBlocking { phone { myWork() } } }
        phone.resume()
        phone { myWork() }
        phone.close()
        handset.loseKeys()
        val lost = assertThrows<PhoneException.Key> { runBlocking { handset.open(JdkTransport()) } }
        assertEquals(KeyFault.STORE, lost.code)
    }

    @Test
    fun `a call costs microseconds`() {
        val times = 20_000
        repeat(times) { coreInfo() }
        val began = System.nanoTime()
        repeat(times) { coreInfo() }
        val micros = (System.nanoTime() - began) / 1_000.0 / times
        println("a call with a record of one text and two numbers: %.1f µs".format(micros))
        assertTrue(micros < 5_000, "$micros µs")
    }

    companion object {
        private val JPEG = byteArrayOf(0xFF.toByte(), 0xD8.toByte(), 0xFF.toByte(), 0xE0.toByte())
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
