# The public declarations of generated Kotlin bindings, one a line, each with the type that it is in.

/\/\*/ { comment = 1 }
comment { if (/\*\//) comment = 0; next }

/^(public |open |data |enum |sealed )*(interface|class) [A-Z]/ {
    type = $0
    sub(/^.*(interface|class) /, "", type)
    sub(/[^A-Za-z0-9].*$/, "", type)
    hidden = type ~ /^(Uniffi|FfiConverter|RustBuffer|ForeignBytes|Disposable|InternalException|IntegrityCheck)/ ||
        type ~ /(Impl|Cleaner|Helper|HandleMap)$/
    # What it implements stands in the interface.
    bare = /^open class/
    member = ""
}

/^}/ { type = ""; next }
/^fun `/ { print tidied($0); next }
type == "" || hidden { next }
/^    (data class|class|object) [A-Z]/ {
    member = "." $0
    sub(/^\. *(data class|class|object) /, ".", member)
    sub(/[^A-Za-z0-9.].*$/, "", member)
    print type member
    next
}
bare && !/ fun `open`/ { next }
/^ +(@Throws\(.*\) )?(suspend )?fun `/ || /^ +va[lr] `[A-Za-z0-9]+`:/ { print type member "." tidied($0); next }
/^ +[A-Z][A-Z0-9_]*[,;]$/ { print type "." tidied($0) }

function tidied(line) {
    gsub(/`|@Throws\([^)]*\) ?|kotlin\.|org\.onscene\.core\./, "", line)
    sub(/\) : .*$/, "", line)
    gsub(/^ +|[ ,;{]+$/, "", line)
    sub(/^(override |suspend |va[lr] )+/, "", line)
    return line
}
