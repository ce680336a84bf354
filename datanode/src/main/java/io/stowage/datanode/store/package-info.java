/** A node's disks and the shards on them, behind {@link io.stowage.common.data.ShardService}. */
package io.stowage.datanode.store;
