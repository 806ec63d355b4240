#if canImport(CryptoKit)
    import CryptoKit
    import Foundation

    @testable import Onscene

    /// Keys in memory: tests have no keychain.
    final class TestKeys: PhoneKeys {
        private let signing = P256.Signing.PrivateKey()
        private let opening = SymmetricKey(size: .bits256)

        func level() throws -> PhoneKeyLevel { .software }

        func publicKey() throws -> Data { signing.publicKey.x963Representation }

        func sign(message: Data) throws -> Data { try signing.signature(for: message).rawRepresentation }

        func wrap(dataKey: Data) throws -> Data {
            guard let sealed = try AES.GCM.seal(dataKey, using: opening).combined else {
                throw HostFailure.Unavailable(reason: "AES-GCM gave no combined form")
            }
            return sealed
        }

        func unwrap(wrapped: Data) throws -> Data {
            do { return try AES.GCM.open(.init(combined: wrapped), using: opening) } catch {
                throw HostFailure.Lost(reason: "wrapped by another key")
            }
        }
    }
#endif
