#if canImport(CryptoKit) && canImport(Security)
    import CryptoKit
    import Foundation
    import OnsceneCore

    /// The phone's two keys: one signs, one opens the store. Both lie in the Secure Enclave where there
    /// is one (not in the simulator), never leave this device, are in no backup, and can be used once
    /// the phone was unlocked after it was started, so that recording works behind a locked screen.
    public final class EnclaveKeys: PhoneKeys {
        private let signing: Signing
        private let opening: Opening

        /// Loads the keys of this name from the keychain, or makes them.
        public init(name: String = "org.onscene.phone") throws {
            signing = try Signing(KeychainItem(service: name, account: "signing"))
            opening = try Opening(KeychainItem(service: name, account: "opening"))
        }

        public func level() throws -> PhoneKeyLevel {
            SecureEnclave.isAvailable ? .secureEnclave : .software
        }

        public func publicKey() throws -> Data { signing.publicKey.x963Representation }

        public func sign(message: Data) throws -> Data {
            do { return try signing.sign(message) } catch { throw Self.failure(error) }
        }

        /// ECIES: an ephemeral key, HKDF-SHA-256, AES-256-GCM. The ephemeral public key comes first.
        public func wrap(dataKey: Data) throws -> Data {
            do {
                let ephemeral = P256.KeyAgreement.PrivateKey()
                let secret = try ephemeral.sharedSecretFromKeyAgreement(with: opening.publicKey)
                let point = ephemeral.publicKey.x963Representation
                let sealed = try AES.GCM.seal(dataKey, using: Self.key(secret, point))
                guard let combined = sealed.combined else {
                    throw HostFailure.Unavailable(reason: "AES-GCM gave no combined form")
                }
                return point + combined
            } catch { throw Self.failure(error) }
        }

        public func unwrap(wrapped: Data) throws -> Data {
            guard wrapped.count > 65 else {
                throw HostFailure.Lost(reason: "a wrapped key of \(wrapped.count) bytes is none")
            }
            let (point, box) = (Data(wrapped.prefix(65)), Data(wrapped.dropFirst(65)))
            do {
                let ephemeral = try P256.KeyAgreement.PublicKey(x963Representation: point)
                let secret = try opening.agree(with: ephemeral)
                return try AES.GCM.open(.init(combined: box), using: Self.key(secret, point))
            } catch CryptoKitError.authenticationFailure {
                throw HostFailure.Lost(reason: "the store's key was wrapped by another key")
            } catch { throw Self.failure(error) }
        }

        private static func key(_ secret: SharedSecret, _ point: Data) -> SymmetricKey {
            secret.hkdfDerivedSymmetricKey(
                using: SHA256.self, salt: point, sharedInfo: Data("onscene store key".utf8),
                outputByteCount: 32)
        }

        private static func failure(_ error: any Error) -> HostFailure {
            error as? HostFailure ?? .Unavailable(reason: String(describing: error))
        }
    }

    private enum Signing: Sendable {
        case enclave(SecureEnclave.P256.Signing.PrivateKey)
        case software(P256.Signing.PrivateKey)

        init(_ item: KeychainItem) throws {
            if SecureEnclave.isAvailable {
                self = .enclave(
                    try item.load(
                        orMake: { try .init(accessControl: KeychainItem.access()) },
                        from: { try .init(dataRepresentation: $0) }, as: \.dataRepresentation))
            } else {
                self = .software(
                    try item.load(
                        orMake: { .init() }, from: { try .init(rawRepresentation: $0) },
                        as: \.rawRepresentation))
            }
        }

        var publicKey: P256.Signing.PublicKey {
            switch self {
            case .enclave(let key): key.publicKey
            case .software(let key): key.publicKey
            }
        }

        func sign(_ message: Data) throws -> Data {
            switch self {
            case .enclave(let key): try key.signature(for: message).rawRepresentation
            case .software(let key): try key.signature(for: message).rawRepresentation
            }
        }
    }

    private enum Opening: Sendable {
        case enclave(SecureEnclave.P256.KeyAgreement.PrivateKey)
        case software(P256.KeyAgreement.PrivateKey)

        init(_ item: KeychainItem) throws {
            if SecureEnclave.isAvailable {
                self = .enclave(
                    try item.load(
                        orMake: { try .init(accessControl: KeychainItem.access()) },
                        from: { try .init(dataRepresentation: $0) }, as: \.dataRepresentation))
            } else {
                self = .software(
                    try item.load(
                        orMake: { .init() }, from: { try .init(rawRepresentation: $0) },
                        as: \.rawRepresentation))
            }
        }

        var publicKey: P256.KeyAgreement.PublicKey {
            switch self {
            case .enclave(let key): key.publicKey
            case .software(let key): key.publicKey
            }
        }

        func agree(with other: P256.KeyAgreement.PublicKey) throws -> SharedSecret {
            switch self {
            case .enclave(let key): try key.sharedSecretFromKeyAgreement(with: other)
            case .software(let key): try key.sharedSecretFromKeyAgreement(with: other)
            }
        }
    }
#endif
