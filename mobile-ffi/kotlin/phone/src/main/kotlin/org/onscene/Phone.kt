package org.onscene

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import org.onscene.core.FileStep
import org.onscene.core.PhoneClock
import org.onscene.core.PhoneConfig
import org.onscene.core.PhoneCore
import org.onscene.core.PhoneEvent
import org.onscene.core.PhoneKeys
import org.onscene.core.PhoneLog
import org.onscene.core.PhoneWork
import org.onscene.core.SyncStep
import org.onscene.core.WaitFor

/**
 * A phone of the bureau, for coroutines.
 *
 * Every call of the core may touch the disk, so it runs off the caller's thread, one after the other:
 * `phone { note(visit, "…") }`. One object for one store, for the life of the app.
 */
class Phone private constructor(
    private val core: PhoneCore,
    private val transport: Transport,
    private val lane: CoroutineDispatcher,
) : AutoCloseable {
    /** Counts what may have changed something; as a state flow it never keeps anybody waiting. */
    private val touched = MutableStateFlow(0L)

    /** Runs one or several calls of the core; what they recorded is on disk when this returns. */
    suspend operator fun <T> invoke(calls: PhoneCore.() -> T): T = ask(calls).also { touched.update { it + 1 } }

    /** The orders to be answered, now and whenever they change. */
    val work: Flow<List<PhoneWork>> = touched.map { ask { myWork() } }.distinctUntilChanged()

    /** What happened after event number [cursor], and what happens from now on. */
    fun events(cursor: Long = 0): Flow<PhoneEvent> = flow {
        var seen = cursor
        touched.collect {
            do {
                val page = ask { eventsSince(seen, EVENTS) }
                page.forEach {
                    seen = it.number
                    emit(it)
                }
            } while (page.size == EVENTS)
        }
    }

    /**
     * Fetches what is new and delivers what waits: case data first, then files. Returns how it ended
     * when there is nothing to send for now.
     */
    suspend fun sync(): SyncEnd {
        ask {
            syncSoon()
            uploadSoon()
        }
        return deliver()
    }

    /** Delivers until the caller is cancelled: on a device, for as long as the app is in front. */
    suspend fun keepDelivering(): Nothing {
        while (true) {
            val before = touched.value
            val end = deliver()
            val pause = if (end is SyncEnd.Wait) end.ms else LOOK_AGAIN_MS
            // Something recorded meanwhile is sent at once, as far as the core has not asked to wait.
            val recorded = withTimeoutOrNull(pause) { touched.first { it != before } }
            if (recorded == null && end !is SyncEnd.Wait) ask { syncSoon() }
        }
    }

    /** Closes the store until [resume]: while the app has no right to run, say. */
    suspend fun suspend() = ask { suspend() }

    /** Opens it again. */
    suspend fun resume() = ask { resume() }

    override fun close() = core.destroy()

    /** Case data, then files, then what the files were waiting for. */
    private suspend fun deliver(): SyncEnd {
        val exchanged = exchange()
        if (exchanged != SyncEnd.Done) return exchanged
        val uploaded = upload()
        val needsSync = uploaded is SyncEnd.Wait && uploaded.why == WaitFor.NEEDS_SYNC
        return if (needsSync && exchange() == SyncEnd.Done) upload() else uploaded
    }

    private suspend fun exchange(): SyncEnd {
        repeat(REQUESTS) {
            val request = when (val step = ask { syncNext() }) {
                is SyncStep.Send -> step.request
                is SyncStep.Wait -> return SyncEnd.Wait(step.ms, step.why)
                SyncStep.Idle -> return SyncEnd.Done
            }
            val outgoing = with(request) { Outgoing(method, url, headers, Body.Bytes(body), deadlineMs) }
            val reply = transport.sendOrTell(outgoing) { why ->
                ask { syncFailed(request.id, why) }
                return SyncEnd.Unanswered(why)
            }
            this { syncApply(request.id, reply) }
        }
        return SyncEnd.Done
    }

    private suspend fun upload(): SyncEnd {
        repeat(REQUESTS) {
            val request = when (val step = ask { uploadNext() }) {
                is FileStep.Send -> step.request
                is FileStep.Wait -> return SyncEnd.Wait(step.ms, step.why)
                FileStep.Idle -> return SyncEnd.Done
            }
            val body = request.body?.let { Body.Range(it.path, it.offset, it.length) } ?: Body.Empty
            val outgoing = with(request) { Outgoing(method, url, headers, body, deadlineMs) }
            val reply = transport.sendOrTell(outgoing) { why ->
                ask { uploadFailed(request.id, why) }
                return SyncEnd.Unanswered(why)
            }
            this { uploadApply(request.id, reply) }
        }
        return SyncEnd.Done
    }

    private suspend fun <T> ask(calls: PhoneCore.() -> T): T = withContext(lane) { core.calls() }

    companion object {
        private const val EVENTS = 200
        private const val REQUESTS = 500
        private const val LOOK_AGAIN_MS = 30_000L

        /** Opens the phone's store, or makes a new one. A request that a killed app left is taken back. */
        suspend fun open(
            config: PhoneConfig,
            clock: PhoneClock,
            keys: PhoneKeys,
            transport: Transport,
            log: PhoneLog? = null,
        ): Phone {
            val lane = Dispatchers.IO.limitedParallelism(1)
            val core = withContext(lane) {
                PhoneCore.open(config, clock, keys, log).also { core ->
                    core.openUpload()?.let { core.uploadFailed(it, "the app was started anew") }
                }
            }
            return Phone(core, transport, lane)
        }
    }
}

/** How a round of delivering ended. */
sealed interface SyncEnd {
    /** There is nothing to send and nothing to fetch. */
    data object Done : SyncEnd

    /** The next request is not due before [ms] milliseconds have passed. */
    data class Wait(val ms: Long, val why: WaitFor) : SyncEnd

    /** A request was not answered: no network, say. It is sent again. */
    data class Unanswered(val why: String) : SyncEnd
}
