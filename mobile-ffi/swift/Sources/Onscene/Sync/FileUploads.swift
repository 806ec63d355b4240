#if canImport(Darwin)
    import Foundation
    import OnsceneCore

    /// Sends the phone's files in a background `URLSession`: the system carries on while the app
    /// sleeps or after it was killed, and wakes the app for each answer.
    ///
    /// Make one when the app starts, also when the system started it for this session's sake, and hand
    /// it the completion handler of `application(_:handleEventsForBackgroundURLSession:)`.
    public final class FileUploads: NSObject, URLSessionDataDelegate, @unchecked Sendable {
        private let phone: Phone
        private let parts: URL
        /// Answers so far, by task. Only the session's own serial queue touches it and `finished`.
        private var bodies: [Int: Data] = [:]
        private var finished: (@Sendable () -> Void)?
        private var session: URLSession!

        /// - Parameters:
        ///   - identifier: the session's name, the same at each start of the app.
        ///   - parts: a folder for the parts that are on their way. The system uploads whole files
        ///     only, so a part is copied there and removed when it was answered.
        public init(phone: Phone, identifier: String = "org.onscene.files", parts: URL) throws {
            self.phone = phone
            self.parts = parts
            super.init()
            try FileManager.default.createDirectory(at: parts, withIntermediateDirectories: true)
            let configuration = URLSessionConfiguration.background(withIdentifier: identifier)
            configuration.sessionSendsLaunchEvents = true
            configuration.httpCookieStorage = nil
            session = URLSession(configuration: configuration, delegate: self, delegateQueue: nil)
        }

        /// Starts the next part, if one is due and none is on its way. Returns how long to wait before
        /// asking again, in milliseconds; nothing when there is nothing to wait for.
        @discardableResult
        public func advance() async throws -> Int64? {
            if let open = try await phone.ask({ try $0.openUpload() }) {
                let running = await session.allTasks.contains { $0.taskDescription == "\(open)" }
                if running { return nil }
                try await phone.ask { try $0.uploadFailed(id: open, why: "the app was ended") }
            }
            let step = try await phone.ask { try $0.uploadNext() }
            switch step {
            case .idle: return nil
            case .wait(let ms, _): return ms
            case .send(let request):
                try await start(request)
                return nil
            }
        }

        /// What to call when all answers that the system kept for the app are in.
        public func whenDone(_ handler: @escaping @Sendable () -> Void) {
            session.delegateQueue.addOperation { self.finished = handler }
        }

        private func start(_ request: FileRequest) async throws {
            do {
                guard let url = URL(string: request.url) else { throw URLError(.badURL) }
                var sent = URLRequest(url: url)
                sent.httpMethod = request.method
                sent.timeoutInterval = Double(request.deadlineMs) / 1000
                for header in request.headers {
                    sent.setValue(header.value, forHTTPHeaderField: header.name)
                }
                let part = try copy(request)
                let task = session.uploadTask(with: sent, fromFile: part)
                task.taskDescription = "\(request.id)"
                task.resume()
            } catch {
                let why = error.localizedDescription
                try await phone.ask { try $0.uploadFailed(id: request.id, why: why) }
            }
        }

        /// The range of the file as a file of its own, an empty one for no body.
        private func copy(_ request: FileRequest) throws -> URL {
            let part = parts.appendingPathComponent("\(request.id)")
            guard let body = request.body else {
                try Data().write(to: part)
                return part
            }
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: body.path))
            defer { try? file.close() }
            try file.seek(toOffset: UInt64(body.offset))
            let bytes = try file.read(upToCount: Int(body.length)) ?? Data()
            guard bytes.count == Int(body.length) else { throw CocoaError(.fileReadCorruptFile) }
            try bytes.write(to: part)
            return part
        }

        // MARK: Answers, on the session's serial queue

        public func urlSession(
            _ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data
        ) {
            bodies[dataTask.taskIdentifier, default: Data()].append(data)
        }

        public func urlSession(
            _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
        ) {
            let body = bodies.removeValue(forKey: task.taskIdentifier) ?? Data()
            guard let id = task.taskDescription.flatMap({ Int64($0) }) else { return }
            try? FileManager.default.removeItem(at: parts.appendingPathComponent("\(id)"))
            let reply = (task.response as? HTTPURLResponse).map { PhoneReply($0, body: body) }
            let why = error?.localizedDescription ?? "no answer"
            let phone = phone
            Task {
                if let reply, error == nil {
                    _ = try? await phone.ask { try $0.uploadApply(id: id, reply: reply) }
                } else {
                    try? await phone.ask { try $0.uploadFailed(id: id, why: why) }
                }
                _ = try? await self.advance()
            }
        }

        public func urlSession(
            _ session: URLSession, task: URLSessionTask,
            willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
            completionHandler: @escaping @Sendable (URLRequest?) -> Void
        ) {
            completionHandler(nil)
        }

        public func urlSessionDidFinishEvents(forBackgroundURLSession session: URLSession) {
            let handler = finished
            finished = nil
            DispatchQueue.main.async { handler?() }
        }
    }
#endif
