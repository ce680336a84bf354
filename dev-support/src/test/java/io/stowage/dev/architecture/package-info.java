/** Rules about the shape of the whole code base, checked on its class files. */
package io.stowage.dev.architecture;
