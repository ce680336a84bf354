/** The {@code container} table in HBase: its layout and the store that reads and writes it. */
package io.stowage.scm.table;
