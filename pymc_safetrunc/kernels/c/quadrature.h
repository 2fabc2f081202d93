/* C twins of the scalar kernels of kernels/quadrature.py. */

SAFETRUNC_FUNCTION void safetrunc_distances(double u, double length, double *from_cut,
                                            double *from_end)
{
    double small = exp(-fabs(u));
    if (length < INFINITY) {
        double shorter = fmax(length * small / (1.0 + small), SAFETRUNC_NEAREST);
        double longer = length / (1.0 + small);
        *from_cut = u < 0.0 ? shorter : longer;
        *from_end = u < 0.0 ? longer : shorter;
        return;
    }
    *from_cut = u < 0.0 ? small : 1.0 / small;
    *from_end = INFINITY;
}

SAFETRUNC_FUNCTION double safetrunc_node(double u, double cut, double end, double length,
                                         double side)
{
    double from_cut, from_end;
    safetrunc_distances(u, length, &from_cut, &from_end);
    return from_end < from_cut ? end - side * from_end : cut + side * from_cut;
}

SAFETRUNC_FUNCTION double safetrunc_node_to_upper(double u, double beyond, double length,
                                                  double side)
{
    double from_cut, from_end;
    safetrunc_distances(u, length, &from_cut, &from_end);
    return side > 0.0 ? from_end : beyond + from_cut;
}

SAFETRUNC_FUNCTION double safetrunc_log_slope(double u, double length)
{
    return length < INFINITY ? -fabs(u) - 2.0 * log1p(exp(-fabs(u))) : u;
}

SAFETRUNC_FUNCTION double safetrunc_stop_gradient(double x)
{
    return x;
}

SAFETRUNC_FUNCTION double safetrunc_mass_between(double log_mass, double lower, double upper,
                                                 double log_density_lower,
                                                 double log_density_upper)
{
    return log_mass;
}
