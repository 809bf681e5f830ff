"""What the five stand-ins share: settings, wiring, registration, journal, knobs, logs, metrics."""
