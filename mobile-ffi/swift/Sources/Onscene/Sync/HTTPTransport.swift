import Foundation
import OnsceneCore

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Carries a request of the phone to the server and its answer back.
public protocol HTTPTransport: Sendable {
    /// Sends a request as it is: no redirect is followed, no cache or cookie is used. Throws when no
    /// answer came.
    func send(_ request: PhoneRequest) async throws -> PhoneReply
}

/// ``HTTPTransport`` by a `URLSession` of its own.
public final class URLSessionTransport: HTTPTransport {
    private let session: URLSession

    /// - Parameter configuration: the platform's trust, proxy and VPN settings apply; caching,
    ///   cookies and credentials are switched off here.
    public init(configuration: URLSessionConfiguration = .ephemeral) {
        configuration.urlCache = nil
        configuration.httpCookieStorage = nil
        configuration.httpShouldSetCookies = false
        configuration.urlCredentialStorage = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalAndRemoteCacheData
        session = URLSession(configuration: configuration, delegate: NoRedirects(), delegateQueue: nil)
    }

    public func send(_ request: PhoneRequest) async throws -> PhoneReply {
        let (body, response) = try await session.data(for: URLRequest(request))
        guard let http = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        return PhoneReply(http, body: body)
    }
}

/// Redirects are answers like others: the phone decides.
private final class NoRedirects: NSObject, URLSessionTaskDelegate {
    func urlSession(
        _ session: URLSession, task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
        completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }
}

extension URLRequest {
    /// The platform's form of a request of the phone.
    init(_ request: PhoneRequest) throws {
        guard let url = URL(string: request.url) else { throw URLError(.badURL) }
        self.init(url: url, timeoutInterval: Double(request.deadlineMs) / 1000)
        httpMethod = request.method
        httpShouldHandleCookies = false
        for header in request.headers { setValue(header.value, forHTTPHeaderField: header.name) }
        if !request.body.isEmpty { httpBody = request.body }
    }
}

extension PhoneReply {
    /// The phone's form of an answer.
    init(_ response: HTTPURLResponse, body: Data) {
        let headers = response.allHeaderFields.compactMap { name, value -> PhoneHeader? in
            guard let name = name as? String, let value = value as? String else { return nil }
            return PhoneHeader(name: name, value: value)
        }
        self.init(status: Int32(response.statusCode), headers: headers, body: body)
    }
}
