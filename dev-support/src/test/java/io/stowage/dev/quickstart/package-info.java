/** The scripts that the README names, run as a user runs them. */
package io.stowage.dev.quickstart;
