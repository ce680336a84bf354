/** Pages of docs that are made of what several modules say. */
package io.stowage.dev.reference;
