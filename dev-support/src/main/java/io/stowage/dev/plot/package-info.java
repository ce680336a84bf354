/** Plots for pages, as SVG text, the same bytes for the same figures. */
package io.stowage.dev.plot;
