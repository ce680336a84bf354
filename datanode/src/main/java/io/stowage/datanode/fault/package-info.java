/**
 * Disks that misbehave on request, for the tests of this and other modules: what a power failure, a
 * torn page, a failing force or a lying read does can be had without a broken device.
 */
package io.stowage.datanode.fault;
