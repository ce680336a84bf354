/** What tools write into objects, and how they tell whether it came back. */
package io.stowage.dev.content;
