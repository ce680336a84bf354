/**
 * How probable it is to lose data: a Markov chain of one container, a simulation of a whole cluster
 * that shares no formula with it, and the page that says what follows, docs/DURABILITY.md.
 */
package io.stowage.dev.durability;
