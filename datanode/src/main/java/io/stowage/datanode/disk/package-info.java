/** The seam between shard files and the operating system, and a disk's identity file. */
package io.stowage.datanode.disk;
