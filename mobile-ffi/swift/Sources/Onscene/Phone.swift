import Foundation
@_exported import OnsceneCore

/// A phone of the bureau, for Swift's tasks.
///
/// Every call of the core may touch the disk, so calls run on a queue of their own, one after the
/// other: `try await phone { try $0.note(visit: visit, text: "…") }`. A call that records returns only
/// after the disk has it; one that throws has changed nothing. One object for one store, for the life
/// of the app.
public actor Phone {
    private let core: PhoneCore
    private let queue: DispatchQueue
    private var sleepers: [UUID: Task<Void, any Error>] = [:]

    /// Opens a phone's store, or makes a new one.
    ///
    /// - Parameters:
    ///   - store: the store's file, in the app's private container (not in an App Group: iOS kills
    ///     an app that holds a lock there when it is suspended). More files stand beside it.
    ///   - model: maker and model of the phone, as administrators see it.
    ///   - platform: clocks and keys: ``DeviceClock`` and ``EnclaveKeys`` on a real phone.
    public init(store: URL, model: String, appVersion: String, platform: Platform) async throws {
        let config = PhoneConfig(path: store.path, model: model, appVersion: appVersion)
        let queue = DispatchQueue(label: "onscene.phone", qos: .userInitiated)
        self.queue = queue
        core = try await withCheckedThrowingContinuation { opened in
            queue.async {
                opened.resume(
                    with: Result {
                        try PhoneCore.open(
                            config: config, clock: platform.clock, keys: platform.keys,
                            log: platform.log)
                    })
            }
        }
    }

    /// Runs one or several calls of the core; what they recorded is on disk when this returns, and a
    /// waiting ``keepInStep(over:askEvery:)`` delivers it.
    @discardableResult
    public func callAsFunction<T: Sendable>(
        _ calls: @escaping @Sendable (PhoneCore) throws -> T
    ) async throws -> T {
        let result = try await ask(calls)
        sleepers.values.forEach { $0.cancel() }
        return result
    }

    /// Runs calls that give nobody anything to deliver.
    nonisolated func ask<T: Sendable>(
        _ calls: @escaping @Sendable (PhoneCore) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { done in
            queue.async { [core] in done.resume(with: Result { try calls(core) }) }
        }
    }

    /// Sleeps until something was called, `limit` at most.
    func rest(atMost limit: Duration) async throws {
        let (id, sleeper) = (UUID(), Task { try await Task.sleep(for: limit) })
        sleepers[id] = sleeper
        defer { sleepers[id] = nil }
        await withTaskCancellationHandler { _ = await sleeper.result } onCancel: { sleeper.cancel() }
        try Task.checkCancellation()
    }

    /// What happened after event number `cursor` (0: from the beginning), and what happens from then
    /// on: the sequence looks every `interval` and ends with the task that reads it.
    public nonisolated func events(
        after cursor: Int64, lookEvery interval: Duration = .seconds(1)
    ) -> AsyncThrowingStream<PhoneEvent, any Error> {
        AsyncThrowingStream { stream in
            let task = Task {
                do {
                    var seen = cursor
                    while true {
                        let from = seen
                        let page = try await self.ask { try $0.eventsSince(cursor: from, max: 100) }
                        for event in page {
                            seen = event.number
                            stream.yield(event)
                        }
                        if page.isEmpty { try await Task.sleep(for: interval) }
                    }
                } catch is CancellationError {
                    stream.finish()
                } catch {
                    stream.finish(throwing: error)
                }
            }
            stream.onTermination = { _ in task.cancel() }
        }
    }
}

/// What an app lends to a phone.
public struct Platform: Sendable {
    public let clock: any PhoneClock
    public let keys: any PhoneKeys
    public let log: (any PhoneLog)?

    public init(clock: any PhoneClock, keys: any PhoneKeys, log: (any PhoneLog)? = nil) {
        self.clock = clock
        self.keys = keys
        self.log = log
    }
}
