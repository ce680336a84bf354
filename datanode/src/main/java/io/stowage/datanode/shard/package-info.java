/**
 * Shard files: their format ({@link io.stowage.datanode.shard.ShardFormat} is its grammar) and the
 * one class that writes them.
 */
package io.stowage.datanode.shard;
