// swift-tools-version: 6.0
import Foundation
import PackageDescription

// `./generate` makes Sources/OnsceneCore, Sources/OnsceneCoreFFI and the library that they need. A
// release replaces the system library by an XCFramework: see deploy/mobile/README.md.
let framework = "OnsceneCoreFFI.xcframework"
let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
let released = FileManager.default.fileExists(atPath: here.appendingPathComponent(framework).path)
let core: Target =
    released
    ? .binaryTarget(name: "OnsceneCoreFFI", path: framework)
    : .systemLibrary(name: "OnsceneCoreFFI")
let library: [LinkerSetting] =
    released ? [] : [.unsafeFlags(["-L", here.appendingPathComponent("lib").path, "-lonscene_mobile"])]

let package = Package(
    name: "Onscene",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "Onscene", targets: ["Onscene"])],
    targets: [
        core,
        .target(name: "OnsceneCore", dependencies: ["OnsceneCoreFFI"], linkerSettings: library),
        .target(name: "Onscene", dependencies: ["OnsceneCore"]),
        .testTarget(name: "OnsceneTests", dependencies: ["Onscene"]),
    ],
    swiftLanguageModes: [.v6]
)
