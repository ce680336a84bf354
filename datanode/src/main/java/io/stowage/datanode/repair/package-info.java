/** Shards made anew from the others of their containers, at SCM's word. */
package io.stowage.datanode.repair;
