# Sourced by the scripts of dev-support: finds the JDK, builds what is missing, knows the class path.
# Defines STOWAGE_ROOT, STOWAGE_ETC and the functions die, keep_from_others, need_jdk, build_if_needed,
# class_path.
# It is bin/launch.sh of a distribution (dev-support/dist), too: there nothing is built.

STOWAGE_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ -f "$STOWAGE_ROOT/lib/class-path" ]; then
  STOWAGE_ETC="$STOWAGE_ROOT/etc"
else
  STOWAGE_ROOT="$(cd "$STOWAGE_ROOT/.." && pwd)"
  STOWAGE_ETC="$STOWAGE_ROOT/dev-support/conf"
fi
# Errors of the operating system in one language in all logs; what names and files are encoded in stays as it is.
if [ -n "${LC_ALL:-}" ]; then
  export LC_CTYPE="$LC_ALL"
  unset LC_ALL
fi
export LC_MESSAGES=C
STOWAGE_TOOL="${STOWAGE_TOOL:-stowage}"
BUILD_DIR="$STOWAGE_ROOT/dev-support/target"
JAVA=""

die() {
  printf '%s: %s\n' "$STOWAGE_TOOL" "$*" >&2
  exit 1
}

# Of a server: what it writes (logs, data, dumps of its memory) is its user's and at most his group's.
keep_from_others() {
  umask "$(printf '%04o' $((0$(umask) | 027)))"
}

# need_jdk [LAST]: sets JAVA to a java of a JDK 17 or newer, of LAST at most, or ends with one line that says what was found.
need_jdk() {
  local last="${1:-}" needed="JDK 17 or newer is needed" where line version
  [ -z "$last" ] || needed="JDK 17 to $last is needed"
  if [ -n "${JAVA_HOME:-}" ]; then
    JAVA="$JAVA_HOME/bin/java"
    where="JAVA_HOME ($JAVA_HOME)"
  else
    JAVA="$(command -v java || true)"
    where="PATH"
  fi
  [ -n "$JAVA" ] && [ -x "$JAVA" ] || die "$needed; there is no java on $where"
  line="$("$JAVA" -version 2>&1 | grep -m1 ' version "' || true)"
  version="${line#*version \"}"
  version="${version#1.}" # 1.8.0 is 8
  version="${version%%[!0-9]*}"
  [ -n "$version" ] || die "$needed; $JAVA does not say what it is"
  [ "$version" -ge 17 ] && [ "$version" -le "${last:-$version}" ] || die "$needed; $where names Java $version"
}

# True if there is no build, or a source is newer than it.
build_is_stale() {
  [ -s "$BUILD_DIR/stowage-classpath" ] && [ -f "$BUILD_DIR/stowage-build" ] || return 0
  local newer
  newer="$(cd "$STOWAGE_ROOT" && find pom.xml ./*/pom.xml ./*/src/main -newer "$BUILD_DIR/stowage-build" -type f -print 2>/dev/null | head -n 1)"
  [ -n "$newer" ]
}

# Compiles the reactor when needed, with a line a module on standard error. STOWAGE_NO_BUILD=1 takes what is there (tests
# run inside of a build and must not start another).
build_if_needed() {
  [ ! -f "$STOWAGE_ROOT/lib/class-path" ] || return 0
  if [ "${STOWAGE_NO_BUILD:-}" = 1 ]; then
    [ -s "$BUILD_DIR/stowage-classpath" ] || die "nothing is built and STOWAGE_NO_BUILD forbids to build"
    return
  fi
  build_is_stale || return 0
  [ -x "${JAVA%/java}/javac" ] || [ -n "$(command -v javac || true)" ] || die "a JDK is needed to build; $JAVA is a JRE"
  mkdir -p "$BUILD_DIR"
  local log="$BUILD_DIR/stowage-build.log" building ticker
  printf '%s: building (log: %s)\n' "$STOWAGE_TOOL" "dev-support/target/stowage-build.log" >&2
  (
    # One build at a time; whoever waited for another's finds nothing left to do.
    if command -v flock >/dev/null; then
      exec 9>"$BUILD_DIR/stowage-build.lock"
      flock 9
      build_is_stale || exit 0
    fi
    cd "$STOWAGE_ROOT"
    ./mvnw -Pquick -Dstowage.launch process-classes </dev/null 9>&- >"$log" 2>&1
  ) &
  building=$!
  show_progress "$log" "$building" &
  ticker=$!
  if wait "$building"; then
    wait "$ticker" || true
  else
    wait "$ticker" || true
    grep '^\[ERROR\]' "$log" | head -n 5 >&2 || tail -n 5 "$log" >&2
    die "the build failed; all of its output is in $log"
  fi
}

# The modules as they come by, and the time every ten seconds: the first build downloads some 200 MB.
show_progress() {
  local log="$1" pid="$2" shown=0 seconds=0 lines
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    lines="$(grep -c '^\[INFO\] Building Stowage' "$log" 2>/dev/null || true)"
    lines="${lines:-0}"
    if [ "$lines" -gt "$shown" ]; then
      grep '^\[INFO\] Building Stowage' "$log" | tail -n +$((shown + 1)) | sed 's/^\[INFO\] Building/  /; s/ 0\.[^ ]* */ /' >&2
      shown="$lines"
    elif [ $((seconds % 10)) -eq 0 ]; then
      printf '   ... %d s (a first build downloads its libraries)\n' "$seconds" >&2
    fi
  done
}

# The class path of everything, ours first.
class_path() {
  if [ -f "$STOWAGE_ROOT/lib/class-path" ]; then
    sed "s|^|$STOWAGE_ROOT/lib/|" "$STOWAGE_ROOT/lib/class-path" | paste -s -d :
    return
  fi
  printf '%s:%s' "$BUILD_DIR/classes" "$(cat "$BUILD_DIR/stowage-classpath")"
}
