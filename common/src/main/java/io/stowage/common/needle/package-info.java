/**
 * The header in front of every object's bytes inside a container, from which the namespace could be
 * re-created. See docs/format/needle.md.
 */
package io.stowage.common.needle;
