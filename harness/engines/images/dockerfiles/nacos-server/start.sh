#!/bin/sh
# Starts the server in the foreground, told by the official image's variables.
set -eu
home=/home/nacos
if [ "${MODE}" != standalone ]; then
    echo "this image runs standalone: MODE=${MODE} is not supported" >&2
    exit 2
fi
if [ "${NACOS_AUTH_ENABLE:-false}" = true ]; then
    : "${NACOS_AUTH_TOKEN:?must be set with NACOS_AUTH_ENABLE=true: Base64 of at least 32 bytes}"
    : "${NACOS_AUTH_IDENTITY_KEY:?must be set with NACOS_AUTH_ENABLE=true}"
    : "${NACOS_AUTH_IDENTITY_VALUE:?must be set with NACOS_AUTH_ENABLE=true}"
fi
# shellcheck disable=SC2086  # JAVA_OPT is words
exec java -server "-Xms${JVM_XMS:-256m}" "-Xmx${JVM_XMX:-512m}" ${JVM_XMN:+"-Xmn${JVM_XMN}"} \
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-OmitStackTraceInFastThrow -Xshare:auto \
    -Dnacos.standalone=true -Duser.home="${home}" -Dnacos.home="${home}" -Dnacos.logs.path="${home}/logs" \
    -Dderby.stream.error.file="${home}/logs/derby.log" ${JAVA_OPT:-} \
    -cp "$(cat ${home}/lib/classpath)" "${MAIN_CLASS}" \
    "--spring.config.additional-location=file:${home}/conf/" --server.max-http-request-header-size=524288
