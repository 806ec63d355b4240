package org.onscene

import java.nio.file.Files
import java.nio.file.Path
import java.security.KeyFactory
import java.security.KeyPairGenerator
import java.security.SecureRandom
import java.security.Signature
import java.security.spec.ECGenParameterSpec
import java.security.spec.PKCS8EncodedKeySpec
import javax.crypto.Cipher
import javax.crypto.spec.GCMParameterSpec
import javax.crypto.spec.SecretKeySpec
import kotlin.io.path.createDirectories
import kotlin.io.path.exists
import kotlin.io.path.readBytes
import kotlin.io.path.readText
import kotlin.io.path.writeBytes
import org.onscene.core.Datum
import org.onscene.core.EvidenceWindow
import org.onscene.core.FixProvider
import org.onscene.core.HostFailure
import org.onscene.core.PhoneClock
import org.onscene.core.PhoneConfig
import org.onscene.core.PhoneFix
import org.onscene.core.PhoneKeyLevel
import org.onscene.core.PhoneKeys
import org.onscene.core.PhoneReading
import org.onscene.core.Place

/** A phone's storage and platform in a folder: `store` may be copied or restored, `keys` is hardware. */
class Handset(private val dir: Path) {
    val store: Path = dir.resolve("store").createDirectories()
    val clock = LinuxClock()
    private val config = PhoneConfig("$store/phone.db", "Test One", "1.0")

    suspend fun open(transport: Transport): Phone =
        Phone.open(config, clock, FileKeys(dir.resolve("keys").createDirectories()), transport)

    /** What a factory reset does to the hardware's keys. */
    fun loseKeys() = Files.list(dir.resolve("keys")).use { files -> files.forEach(Files::delete) }
}

/** Linux's clocks: `/proc/uptime` counts the time asleep. */
class LinuxClock : PhoneClock {
    override fun read(): PhoneReading {
        val seconds = Path.of("/proc/uptime").readText().substringBefore(' ').toBigDecimal()
        val boot = Path.of("/proc/sys/kernel/random/boot_id").readText()
        return PhoneReading(System.currentTimeMillis(), seconds.movePointRight(9).toLong(), boot)
    }
}

/** Keys in files, used as an app uses the Android Keystore: Java's own key and signature forms. */
class FileKeys(private val dir: Path) : PhoneKeys {
    private val signing = dir.resolve("signing.pk8")
    private val public = dir.resolve("signing.spki")
    private val wrapping = dir.resolve("wrapping.aes")

    init {
        if (!signing.exists()) {
            val pair = KeyPairGenerator.getInstance("EC").apply { initialize(ECGenParameterSpec("secp256r1")) }
                .generateKeyPair()
            public.writeBytes(pair.public.encoded)
            wrapping.writeBytes(ByteArray(32).also(SecureRandom()::nextBytes))
            signing.writeBytes(pair.private.encoded)
        }
    }

    override fun level() = PhoneKeyLevel.SOFTWARE

    override fun publicKey(): ByteArray = public.readBytes()

    override fun sign(message: ByteArray): ByteArray {
        val key = KeyFactory.getInstance("EC").generatePrivate(PKCS8EncodedKeySpec(signing.readBytes()))
        return Signature.getInstance("SHA256withECDSA").run {
            initSign(key)
            update(message)
            sign()
        }
    }

    override fun wrap(dataKey: ByteArray): ByteArray {
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        cipher.init(Cipher.ENCRYPT_MODE, SecretKeySpec(wrapping.readBytes(), "AES"))
        return cipher.iv + cipher.doFinal(dataKey)
    }

    override fun unwrap(wrapped: ByteArray): ByteArray = try {
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        val key = SecretKeySpec(wrapping.readBytes(), "AES")
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(128, wrapped, 0, 12))
        cipher.doFinal(wrapped, 12, wrapped.size - 12)
    } catch (error: java.security.GeneralSecurityException) {
        throw HostFailure.Lost(error.toString())
    }
}

/** The recorded walk of a real phone (tests/fixtures), as if it began at a tap. */
object Recording {
    private val lines = Path.of(System.getProperty("onscene.fixtures"), "gnsslogger_pixel6.txt").readText().lines()

    private class Row(val provider: String, val place: Place, val accuracyM: Double, val bootNs: Long)

    private val rows = lines.filter { it.startsWith("Fix,") }.map { line ->
        val field = line.split(",")
        Row(field[1], Place(field[2].toDouble(), field[3].toDouble()), field[6].toDouble(), field[11].toLong())
    }.filter { it.provider == "GPS" }

    /** Where it was recorded. */
    val place: Place = rows.first().place

    /** The fixes of the first [seconds] after the tap. */
    fun window(tap: PhoneReading, seconds: Int): EvidenceWindow {
        val begun = rows.first().bootNs
        val fixes = rows.filter { it.bootNs - begun <= seconds * 1_000_000_000L }.map {
            PhoneFix(it.place, it.accuracyM, tap.bootNs + it.bootNs - begun, FixProvider.GNSS, false, null, null, null)
        }
        return EvidenceWindow(tap, Datum.WGS84, fixes)
    }
}
