/** Reading all shards again and again, so that damage is found while it can be repaired. */
package io.stowage.datanode.scrub;
