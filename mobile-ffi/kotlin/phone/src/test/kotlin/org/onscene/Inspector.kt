package org.onscene

import java.nio.file.Path
import kotlinx.coroutines.runBlocking
import org.onscene.core.Enrolment
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
        "arrive" to { handset, _ ->
            val window = Recording.window(handset.clock.read(), 70)
            this { arrive(visit, window) }
        },
        "report" to { _, text ->
            this { reportOutcome(visit, VisitReport(VisitOutcome.STOPPED, text, emptyList(), null)) }
        },
        "choose" to { _, _ -> this { chooseOutcome(visit, conflicts(visit).outcomes.first()) } },
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

    private val org.onscene.core.PhoneCore.visit get() = myWork().single().visit
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
