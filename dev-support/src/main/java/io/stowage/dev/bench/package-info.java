/**
 * What measures: {@link io.stowage.dev.bench.S3Load} drives any S3 endpoint and verifies what it
 * reads; the classes named {@code …Benchmark} are JMH's. Figures belong into {@code
 * docs/PERFORMANCE.md}, with machine and commit; nothing here asserts on time.
 */
package io.stowage.dev.bench;
