import Foundation
import OnsceneCore

extension Phone {
    /// Exchanges with the server until there is nothing to do now. Returns how long to wait before it
    /// is worth asking again; nothing if only a new record or time calls for it. A failed connection
    /// is not an error: the core remembers it and says when to try again.
    @discardableResult
    public func sync(over transport: any HTTPTransport) async throws -> SyncPause? {
        try await ask { try $0.syncSoon() }
        return try await deliver(over: transport)
    }

    /// Keeps the phone in step with the server until the task is cancelled: run one of these while
    /// the app is in front. It asks when something was recorded and at least every `interval`.
    public func keepInStep(
        over transport: any HTTPTransport, askEvery interval: Duration = .seconds(60)
    ) async throws {
        while true {
            let pause = try await deliver(over: transport)
            if let pause {
                try await rest(atMost: .milliseconds(pause.ms))
            } else {
                try await rest(atMost: interval)
                try await ask { try $0.syncSoon() }
            }
        }
    }

    func deliver(over transport: any HTTPTransport) async throws -> SyncPause? {
        while true {
            try Task.checkCancellation()
            let step = try await ask { try $0.syncNext() }
            switch step {
            case .idle: return nil
            case .wait(let ms, let why): return SyncPause(ms: ms, why: why)
            case .send(let request): try await exchange(request, over: transport)
            }
        }
    }

    private func exchange(_ request: PhoneRequest, over transport: any HTTPTransport) async throws {
        let reply: PhoneReply
        do {
            reply = try await transport.send(request)
        } catch {
            let why = error.localizedDescription
            try await ask { try $0.syncFailed(id: request.id, why: why) }
            return
        }
        _ = try await ask { try $0.syncApply(id: request.id, reply: reply) }
    }
}

/// Why sync rests, and for how long.
public struct SyncPause: Sendable, Equatable {
    /// Milliseconds.
    public let ms: Int64
    public let why: WaitFor
}
