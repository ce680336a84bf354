# Sourced, after launch.sh, by scripts that run other people's software in a process and on a class path of its own:
# defines newer_than, in_turn, maven, resolve_job, file_system_jar, s3a_keys and java_17_opens.

# in_turn LOCK COMMAND...: two runs at once must not build into one directory
in_turn() {
  mkdir -p "$(dirname "$1")"
  if command -v flock >/dev/null; then
    exec 9>"$1"
    flock 9
  fi
  shift
  "$@"
  exec 9>&-
}

# maven LOG ARGS...: quiet unless it fails
maven() {
  local log="$1"
  shift
  (cd "$STOWAGE_ROOT" && ./mvnw "$@" </dev/null 9>&- >"$log" 2>&1) || {
    grep '^\[ERROR\]' "$log" | head -n 5 >&2 || tail -n 5 "$log" >&2
    die "the build failed; all of its output is in $log"
  }
}

# newer_than FILE PATH...: true if FILE is missing or a file below PATH is newer
newer_than() {
  local file="$1"
  shift
  [ -s "$file" ] || return 0
  [ -n "$(find "$@" -newer "$file" -type f -print 2>/dev/null | head -n 1)" ]
}

# built_jar: the shaded jar of the FileSystem, if there is one
built_jar() {
  # shellcheck disable=SC2012  # names of our own making
  ls "$STOWAGE_ROOT"/hadoop-fs-adapter/target/stowage-hadoop-fs-*-shaded.jar 2>/dev/null | head -n 1 || true
}

build_fs_jar() { # LOG
  local jar
  jar="$(built_jar)"
  if newer_than "${jar:-/nonexistent}" "$STOWAGE_ROOT"/{common,client,hadoop-fs-adapter}/src/main \
    "$STOWAGE_ROOT"/{common,client,hadoop-fs-adapter}/pom.xml; then
    printf '%s: building the FileSystem jar\n' "$STOWAGE_TOOL" >&2
    maven "$1" -q -Pquick -DskipTests package -pl hadoop-fs-adapter -am
  fi
}

# file_system_jar LOG: prints the jar, which STOWAGE_FS_JAR may name; built when it is missing or older than its sources
file_system_jar() {
  local jar="${STOWAGE_FS_JAR:-}"
  if [ -z "$jar" ]; then
    in_turn "$STOWAGE_ROOT/hadoop-fs-adapter/target/lock" build_fs_jar "$1"
    jar="$(built_jar)"
  fi
  [ -f "$jar" ] || die "no FileSystem jar: $jar"
  echo "$jar"
}

compile_job() { # PROJECT SOURCE
  if newer_than "$1/target/classpath" "$1/pom.xml" "$2"; then
    printf '%s: resolving %s and compiling the job (a first time downloads some hundred MB)\n' "$STOWAGE_TOOL" "$(basename "$1")" >&2
    rm -f "$1/target/classpath"
    maven "$1/target/job.log" -q -f "$1/pom.xml" process-classes
  fi
}

# resolve_job PROJECT SOURCE: compiles a project of its own; target/classes and target/classpath are there then
resolve_job() {
  mkdir -p "$1/target"
  in_turn "$1/target/lock" compile_job "$1" "$2"
}

# s3a_keys CONF: s3a:// signs with the keys of core-site.xml, of the environment, or else with those that the cluster has
# written beside its conf.
s3a_keys() {
  local conf="$1" credentials directory
  if [ -z "${AWS_ACCESS_KEY_ID:-}" ] && ! grep -q 'fs\.s3a\.access\.key' "$conf/core-site.xml"; then
    credentials="${AWS_SHARED_CREDENTIALS_FILE:-}"
    for directory in "$conf" "$conf/.." "$conf/../.."; do
      [ -n "$credentials" ] || [ ! -f "$directory/aws-credentials" ] || credentials="$directory/aws-credentials"
    done
    [ -n "$credentials" ] || die "no S3 keys: not in $conf/core-site.xml, and no aws-credentials beside it"
    AWS_ACCESS_KEY_ID="$(sed -n 's/^ *aws_access_key_id *= *//p' "$credentials" | head -n 1)"
    AWS_SECRET_ACCESS_KEY="$(sed -n 's/^ *aws_secret_access_key *= *//p' "$credentials" | head -n 1)"
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  fi
}

# Spark's own list for Java 17.
java_17_opens() {
  local package
  for package in java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent \
    java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar; do
    printf '%s\n' "--add-opens=java.base/$package=ALL-UNNAMED"
  done
  echo --add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED
}
