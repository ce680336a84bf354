/** Who leads, by Curator; the only package of SCM that talks to ZooKeeper. */
package io.stowage.scm.election;
