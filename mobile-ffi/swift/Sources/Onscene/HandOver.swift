import Foundation
import OnsceneCore

/// A pipe of messages to one other phone: Multipeer Connectivity, a cable.
public protocol MessagePipe: Sendable {
    /// Sends a message; it may wait until there is room.
    func send(_ message: Data) async throws
    /// The next message; nothing once the other side has closed the pipe.
    func receive() async throws -> Data?
}

extension Phone {
    /// Gives a colleague's phone what it lacks and takes what this one lacks, without a network; to be
    /// run on both phones. Returns when both have everything (`done`) or the pipe was closed. What came
    /// is on disk and stays, also when this throws or is cancelled; another meeting gives the rest.
    ///
    /// Put a time limit around it: a phone that is carried away says nothing more.
    public func handOver(through pipe: any MessagePipe) async throws -> MeetingState {
        let meeting = try await ask { try $0.handOver() }
        let (heard, tell) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Both at once: two phones that both only send fill a pipe that holds little, and stand still.
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await self.give(meeting, through: pipe)
                for await _ in heard { try await self.give(meeting, through: pipe) }
            }
            group.addTask {
                defer { tell.finish() }
                try await self.listen(meeting, through: pipe) { tell.yield() }
            }
            try await group.waitForAll()
        }
        return try await callAsFunction { _ in try meeting.state() }
    }

    nonisolated private func give(
        _ meeting: PhoneMeeting, through pipe: any MessagePipe
    ) async throws {
        while let message = try await ask({ _ in try meeting.next() }) {
            try await pipe.send(message)
        }
    }

    nonisolated private func listen(
        _ meeting: PhoneMeeting, through pipe: any MessagePipe, heard: @Sendable () -> Void
    ) async throws {
        while let message = try await pipe.receive() {
            let complete = try await ask { _ in
                do {
                    return try meeting.take(message: message).complete
                } catch PhoneError.Meeting(code: .unreadable, reason: _) {
                    // Of an earlier meeting, or damaged on the way: the rest still counts.
                    return false
                }
            }
            heard()
            if complete { return }
        }
    }
}
