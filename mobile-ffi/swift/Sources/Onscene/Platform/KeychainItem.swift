#if canImport(Security)
    import Foundation
    import OnsceneCore
    import Security

    /// One secret of this app in the keychain, for this device alone.
    struct KeychainItem {
        let service: String
        let account: String

        /// Use after the first unlock, on this device alone, without asking the person.
        static func access() throws -> SecAccessControl {
            var error: Unmanaged<CFError>?
            guard
                let control = SecAccessControlCreateWithFlags(
                    nil, kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly, .privateKeyUsage, &error)
            else {
                let reason = error.map { String(describing: $0.takeRetainedValue()) }
                throw HostFailure.Unavailable(reason: reason ?? "no access control")
            }
            return control
        }

        /// The key that is kept here; a new one, kept from now on, if there is none.
        func load<Key>(
            orMake make: () throws -> Key, from read: (Data) throws -> Key, as bytes: (Key) -> Data
        ) throws -> Key {
            if let kept = try fetch() { return try read(kept) }
            let made = try make()
            try store(bytes(made))
            return made
        }

        private var query: [CFString: Any] {
            [
                kSecClass: kSecClassGenericPassword, kSecAttrService: service,
                kSecAttrAccount: account, kSecUseDataProtectionKeychain: true,
            ]
        }

        /// A locked keychain is an error and not an absent key: making another one then would orphan
        /// the store.
        private func fetch() throws -> Data? {
            var found: CFTypeRef?
            let asked = query.merging([kSecReturnData: true]) { $1 }
            let status = SecItemCopyMatching(asked as CFDictionary, &found)
            switch status {
            case errSecSuccess: return found as? Data
            case errSecItemNotFound: return nil
            default: throw Self.failure(status)
            }
        }

        private func store(_ secret: Data) throws {
            let item = query.merging([
                kSecValueData: secret,
                kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
            ]) { $1 }
            let status = SecItemAdd(item as CFDictionary, nil)
            guard status == errSecSuccess else { throw Self.failure(status) }
        }

        private static func failure(_ status: OSStatus) -> HostFailure {
            let words = SecCopyErrorMessageString(status, nil) as String?
            return .Unavailable(reason: "keychain: \(words ?? "") (\(status))")
        }
    }
#endif
