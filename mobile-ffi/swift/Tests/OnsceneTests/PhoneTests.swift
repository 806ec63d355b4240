import Foundation
import Testing

@testable import Onscene

#if canImport(CryptoKit)
    @Suite struct PhoneTests {
        @Test func aPhoneThatIsNotEnrolledSaysSo() async throws {
            let phone = try await TestPlace().open()
            let standing = try await phone { try $0.standing() }
            #expect(standing == nil)
            await #expect(throws: PhoneError.NotEnrolled) { try await phone { try $0.beginPatrol() } }
        }

        @Test func aSuspendedPhoneSaysSoAndGoesOnAfterwards() async throws {
            let phone = try await TestPlace().open()
            try await phone { try $0.suspend() }
            await #expect(throws: PhoneError.Suspended) { try await phone { try $0.myWork() } }
            try await phone { try $0.resume() }
            let work = try await phone { try $0.myWork() }
            #expect(work.isEmpty)
        }

        @Test func aStoreWhoseKeyWasLostIsNotOpened() async throws {
            let place = TestPlace()
            let phone = try await place.open()
            try await phone { try $0.suspend() }
            await #expect(throws: PhoneError.self) { try await place.open(keys: TestKeys()) }
        }

        @Test func aFailedConnectionIsRememberedAndTriedLater() async throws {
            let phone = try await TestPlace().open()
            let enrolment = Enrolment(
                server: "https://hub.invalid", code: "7K3F-9QXD", hubKey: nil, replace: false)
            try await phone { try $0.enrol(enrolment: enrolment) }
            let pause = try await phone.sync(over: DeadTransport())
            #expect(pause?.why == .backoff)
            let failure = try await phone { try $0.lastFailure() }
            #expect(failure != nil)
        }

        @Test func aPhoneThatIsNotEnrolledMeetsNobody() async throws {
            let phone = try await TestPlace().open()
            await #expect(throws: PhoneError.NotEnrolled) {
                try await phone.handOver(through: ClosedPipe())
            }
        }

        @Test func aRestEndsWhenThereIsSomethingToDeliver() async throws {
            let phone = try await TestPlace().open()
            async let rested: Void = phone.rest(atMost: .seconds(3600))
            try await Task.sleep(for: .milliseconds(50))
            try await phone { try $0.syncSoon() }
            try await rested
        }
    }

    /// A folder with a store, gone when it is let go.
    final class TestPlace: Sendable {
        private let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent(UUID().uuidString)
        private let keys = TestKeys()

        init() {
            try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        func open(keys: TestKeys? = nil) async throws -> Phone {
            try await Phone(
                store: folder.appendingPathComponent("phone.db"), model: "Test", appVersion: "1",
                platform: Platform(clock: DeviceClock(), keys: keys ?? self.keys))
        }
    }

    struct ClosedPipe: MessagePipe {
        func send(_ message: Data) async throws {}
        func receive() async throws -> Data? { nil }
    }

    struct DeadTransport: HTTPTransport {
        func send(_ request: PhoneRequest) async throws -> PhoneReply {
            throw URLError(.notConnectedToInternet)
        }
    }
#endif
