/** Racks, hosts, nodes and disks: who is alive, and on which disks a new container goes. */
package io.stowage.scm.cluster;
