#if canImport(Darwin)
    import Darwin
    import Foundation
    import OnsceneCore

    /// The clocks of an iPhone, iPad or Mac.
    public final class DeviceClock: PhoneClock {
        public init() {}

        public func read() throws -> PhoneReading {
            PhoneReading(
                wallMs: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)),
                bootNs: Self.bootNanoseconds(),
                bootId: try Self.bootSession())
        }

        /// Nanoseconds since the start, time asleep included. `CLLocation.timestamp` is wall time:
        /// turn it into this clock with ``bootNanoseconds(at:)``.
        public static func bootNanoseconds() -> Int64 {
            Int64(clamping: clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW))
        }

        /// The boot clock at a moment of the wall clock, as far as both run evenly since.
        public static func bootNanoseconds(at moment: Date) -> Int64 {
            bootNanoseconds() - Int64(Date().timeIntervalSince(moment) * 1e9)
        }

        /// Names this start of the phone. `kern.boottime` would not do: it moves when the wall clock
        /// is set.
        private static func bootSession() throws -> String {
            var size = 0
            guard sysctlbyname("kern.bootsessionuuid", nil, &size, nil, 0) == 0, size > 0 else {
                throw HostFailure.Unavailable(reason: "kern.bootsessionuuid: errno \(errno)")
            }
            var text = [CChar](repeating: 0, count: size)
            guard sysctlbyname("kern.bootsessionuuid", &text, &size, nil, 0) == 0 else {
                throw HostFailure.Unavailable(reason: "kern.bootsessionuuid: errno \(errno)")
            }
            return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }
#endif
