"""A local full-stack emulator and integration-test harness for services behind Apache APISIX and Nacos."""
