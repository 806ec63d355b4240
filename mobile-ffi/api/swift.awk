# The public declarations of generated Swift bindings, one a line, each with the type that it is in.

/\/\*/ { comment = 1 }
comment && !/\*\// { next }
comment { comment = 0; sub(/^.*\*\//, "") }

/^(public |open )?(protocol|struct|enum|class) [A-Z]/ {
    type = $0
    sub(/^.*(protocol|struct|enum|class) /, "", type)
    sub(/[^A-Za-z0-9].*$/, "", type)
    hidden = type ~ /^(Uniffi|FfiConverter|RustBuffer|ForeignBytes)/ || type ~ /(Impl|HandleMap)$/
    # What a class has to offer stands in its protocol.
    sub(/Protocol$/, "", type)
    bare = /class /
    next
}

/^}/ { type = ""; next }
/^public func [a-z]/ && !/uniffi/ { print tidied($0); next }
type == "" || hidden { next }
bare && !/^public static func/ { next }
/^ +case [A-Za-z`]/ && !/:$/ { held = $0; if (held !~ /\(/ || held ~ /\)/) { print type "." tidied(held); held = "" } next }
held != "" { held = held $0; if (/^ *\)/) { print type "." tidied(held); held = "" } next }
/^ *(public static )?func [a-z`]/ || /^ +public var / { print type "." tidied($0) }

function tidied(line) {
    gsub(/`|public |static |func |var |case /, "", line)
    gsub(/ *throws */, " throws ", line)
    gsub(/ +/, " ", line)
    gsub(/\( /, "(", line)
    gsub(/ \)/, ")", line)
    gsub(/^ +|[ {]+$/, "", line)
    return line
}
