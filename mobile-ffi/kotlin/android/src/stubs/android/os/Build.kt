// What the Android variant of the bindings asks of Android, so that a compiler without its SDK can
// check it. The three stubs are never shipped.
package android.os

object Build {
    object VERSION {
        @JvmField
        val SDK_INT = 34
    }

    object VERSION_CODES {
        const val UPSIDE_DOWN_CAKE = 34
    }
}
