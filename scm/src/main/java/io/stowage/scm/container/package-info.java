/**
 * Containers: their rows, the compact map of them, leases, seals, and what datanodes reported of
 * their shards. Knows HBase only as a {@link io.stowage.scm.container.ContainerStore}.
 */
package io.stowage.scm.container;
