package org.onscene

import java.nio.file.Path
import kotlin.io.path.writeBytes
import kotlin.random.Random
import kotlinx.coroutines.runBlocking
import org.onscene.core.Datum
import org.onscene.core.Enrolment
import org.onscene.core.EvidenceFile
import org.onscene.core.EvidenceWindow
import org.onscene.core.MediaKind
import org.onscene.core.VisitOutcome
import org.onscene.core.VisitReport

/** One step of an inspector's day in a process of its own, which is killed once it has said `done`. */
object Inspector {
    const val DONE = "done"

    private val steps: Map<String, suspend Phone.(Handset, String) -> Unit> = mapOf(
        "enrol" to { _, argument ->
            val (server, code) = argument.split(" ")
            this { enrol(Enrolment(server, code, null, false)) }
            check(sync() == SyncEnd.Done)
        },
        "sync" to { _, _ -> deliverAll() },
        "try to sync" to { _, _ -> sync() },
        "accept" to { _, _ -> this { accept(myWork().single().order) } },
        "tap" to { handset, _ ->
            val tap = handset.clock.read()
            this { beginArrival(visit, EvidenceWindow(tap, Datum.WGS84, emptyList())) }
        },
        "stand there" to { handset, seconds ->
            // A recording cannot wait: its fixes are dated from now on.
            val fixes = Recording.window(handset.clock.read(), seconds.toInt()).fixes
            fixes.chunked(10).forEach { this { addFixes(visit, it) } }
        },
        "claim" to { _, _ -> this { finishArrival(unfinishedArrivals().single().visit) } },
        "take a photo" to { _, seed ->
            this {
                val capture = beginCapture(visit, PHOTO)
                Path.of(capture.path).writeBytes(photo(seed.toInt()))
                finishCapture(capture.id, null)
            }
        },
        "open the camera" to { _, seed ->
            this { Path.of(beginCapture(visit, PHOTO).path).writeBytes(photo(seed.toInt())) }
        },
        "finish what was begun" to { _, _ ->
            this { finishCapture(unfinishedCaptures().single { it.path != null }.id, null) }
        },
        "report" to { _, text ->
            this { reportOutcome(visit, VisitReport(VisitOutcome.STOPPED, text, evidence(0, 9).map { it.fact }, null)) }
        },
        "choose" to { _, _ ->
            val mine = this { conflicts(visit) }.outcomes.single { it.by.thisPhone }
            this { chooseOutcome(visit, mine.fact) }
        },
        "note" to { _, text -> this { note(visit, text) } },
        "tell" to { _, text -> this { toldComplainant(visit, text) } },
    )

    @JvmStatic
    fun main(arguments: Array<String>) = runBlocking {
        val (dir, step, argument) = arguments
        val handset = Handset(Path.of(dir))
        val phone = handset.open(JdkTransport())
        steps.getValue(step)(phone, handset, argument)
        println(DONE)
        Thread.sleep(Long.MAX_VALUE)
    }

    private val PHOTO = EvidenceFile(MediaKind.PHOTO, "jpg", null)

    private val org.onscene.core.PhoneCore.visit get() = myWork().single().visit

    private fun photo(seed: Int) =
        byteArrayOf(0xFF.toByte(), 0xD8.toByte(), 0xFF.toByte(), 0xE0.toByte()) + Random(seed).nextBytes(900_000)
}

/** Syncs until everything that can be sent was sent. */
suspend fun Phone.deliverAll() {
    repeat(100) {
        when (val end = sync()) {
            SyncEnd.Done -> return
            is SyncEnd.Wait -> kotlinx.coroutines.delay(end.ms)
            is SyncEnd.Unanswered -> kotlinx.coroutines.delay(100)
        }
    }
    error("there is always something left to send: ${this { records(0, 100) }} ${this { evidence(0, 100) }}")
}
