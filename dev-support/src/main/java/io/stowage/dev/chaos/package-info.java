/**
 * A cluster is used and damaged at once, and a model of every acknowledged operation says whether
 * what it answers is right: the load with its checker, the faults, and what both did.
 */
package io.stowage.dev.chaos;
