#if canImport(Darwin)
    import Foundation
    import OnsceneCore

    extension Phone {
        /// Listens for the server's pokes until the connection ends or the task is cancelled, and
        /// syncs on each. Without it everything works by asking now and then. Returns at once when
        /// the phone has to sync or enrol first; leave some seconds before calling it again.
        public func listen(over transport: any HTTPTransport) async throws {
            guard let request = try await ask({ try $0.liveRequest() }) else { return }
            let session = URLSession(configuration: .ephemeral)
            defer { session.invalidateAndCancel() }
            let socket = session.webSocketTask(with: try URLRequest(request))
            socket.maximumMessageSize = 64 * 1024
            socket.resume()
            do {
                while true {
                    try Task.checkCancellation()
                    guard case .data(let frame) = try await socket.receive() else { continue }
                    let due = try await ask { try $0.poked(frame: frame) }
                    if due { _ = try await deliver(over: transport) }
                }
            } catch let error as URLError {
                try await refused(socket.response as? HTTPURLResponse, error)
            }
        }

        /// An answer other than 101 may bring the nonce that the next try needs.
        private func refused(_ response: HTTPURLResponse?, _ error: URLError) async throws {
            guard let response, response.statusCode != 101 else { return }
            let reply = PhoneReply(response, body: Data())
            _ = try await ask { try $0.liveRefused(reply: reply) }
        }
    }
#endif
