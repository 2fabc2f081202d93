/* C twins of the Python kernels beside this folder, which explain the formulas and the regions. The
   tables and constants (SAFETRUNC_*) are written in front of this text from the Python ones by
   kernels/c_source.py. */

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif
#define SAFETRUNC_FUNCTION static __attribute__((unused, optimize("fp-contract=off")))

SAFETRUNC_FUNCTION double safetrunc_ratio_from(const double table[][8], double a)
{
    double w = 1.0 / (a + SAFETRUNC_OFFSET);
    double position = SAFETRUNC_OFFSET * SAFETRUNC_PIECES * w;
    int j = (int) position;
    if (j > SAFETRUNC_PIECES - 1) j = SAFETRUNC_PIECES - 1;
    const double *c = table[j];
    double v = position - j - 0.5;
    double v2 = v * v;
    double low = (c[0] + c[1] * v) + (c[2] + c[3] * v) * v2;
    double high = (c[4] + c[5] * v) + (c[6] + c[7] * v) * v2;
    return (low + high * (v2 * v2)) * w;
}

SAFETRUNC_FUNCTION void safetrunc_tail_ratios(double a, double r[2])
{
    r[1] = safetrunc_ratio_from(SAFETRUNC_RATIO_2, a);
    r[0] = 1.0 / (a + 2.0 * r[1]);
}

SAFETRUNC_FUNCTION void safetrunc_mills_quotient(double a, double q[2])
{
    q[0] = a + 2.0 * safetrunc_ratio_from(SAFETRUNC_RATIO_2, a);
    q[1] = a * q[0] + 1.0;
}

SAFETRUNC_FUNCTION void safetrunc_four_tail_ratios(double a, double r[4])
{
    r[3] = safetrunc_ratio_from(SAFETRUNC_RATIO_4, a);
    r[2] = 1.0 / (a + 4.0 * r[3]);
    r[1] = 1.0 / (a + 3.0 * r[2]);
    r[0] = 1.0 / (a + 2.0 * r[1]);
}

SAFETRUNC_FUNCTION void safetrunc_narrow_moments(double u, double q, double n[3])
{
    double y_even = 1.0, y_odd = u, jq = q;
    n[0] = 1.0;
    n[1] = u * SAFETRUNC_WEIGHT_1[1];
    n[2] = SAFETRUNC_WEIGHT_2[0];
    for (int j = 2; j < SAFETRUNC_TERMS; j += 2) {
        y_even = u * y_odd - jq * y_even;
        jq += q;
        n[0] += y_even * SAFETRUNC_WEIGHT_0[j];
        n[2] += y_even * SAFETRUNC_WEIGHT_2[j];
        y_odd = u * y_even - jq * y_odd;
        jq += q;
        n[1] += y_odd * SAFETRUNC_WEIGHT_1[j + 1];
    }
    n[1] = -0.5 * n[1] / n[0];
    n[2] = 0.25 * n[2] / n[0];
}

SAFETRUNC_FUNCTION void safetrunc_four_narrow_moments(double u, double q, double c[4])
{
    double y_even = 1.0, y_odd = u, jq = q;
    double n0 = 1.0, n1 = u * SAFETRUNC_WEIGHT_1[1], n2 = SAFETRUNC_WEIGHT_2[0];
    double n3 = u * SAFETRUNC_WEIGHT_3[1], n4 = SAFETRUNC_WEIGHT_4[0];
    for (int j = 2; j < SAFETRUNC_MANY_TERMS; j += 2) {
        y_even = u * y_odd - jq * y_even;
        jq += q;
        n0 += y_even * SAFETRUNC_WEIGHT_0[j];
        n2 += y_even * SAFETRUNC_WEIGHT_2[j];
        n4 += y_even * SAFETRUNC_WEIGHT_4[j];
        y_odd = u * y_even - jq * y_odd;
        jq += q;
        n1 += y_odd * SAFETRUNC_WEIGHT_1[j + 1];
        n3 += y_odd * SAFETRUNC_WEIGHT_3[j + 1];
    }
    c[0] = -0.5 * n1 / n0;
    c[1] = 0.25 * n2 / n0;
    c[2] = -0.125 * n3 / n0;
    c[3] = 0.0625 * n4 / n0;
}

SAFETRUNC_FUNCTION int safetrunc_is_legal(double mu, double sigma, double lower, double upper)
{
    return fabs(mu) < INFINITY && 0.0 < sigma && sigma < INFINITY && lower < upper;
}

SAFETRUNC_FUNCTION double safetrunc_distance(double x, double origin, double sigma)
{
    if (SAFETRUNC_SMALLEST_SCALE < sigma && sigma < SAFETRUNC_LARGEST_SCALE)
        return (x - origin) * (1.0 / sigma);
    if (sigma < 1.0) return (x - origin) / sigma;
    return (0.5 * x - 0.5 * origin) / (0.5 * sigma);
}

SAFETRUNC_FUNCTION double safetrunc_log_mass_from(double density_at_anchor, double relative,
                                                  double sigma)
{
    if (SAFETRUNC_SMALLEST_SCALE < density_at_anchor
        && density_at_anchor < SAFETRUNC_LARGEST_SCALE)
        return -log(density_at_anchor);
    return log(sigma) - log(relative);
}

SAFETRUNC_FUNCTION double safetrunc_density(double z)
{
    double square = z * z;
    if (square < 2.0 * SAFETRUNC_UNDERFLOW) return exp(-0.5 * square) * SAFETRUNC_INV_SQRT_2PI;
    return 0.0;
}

SAFETRUNC_FUNCTION void safetrunc_fill(double out[7], double anchor, double log_mass, double m1,
                                       double m2, double density_lower, double density_upper,
                                       double relative)
{
    out[0] = anchor;
    out[1] = log_mass;
    out[2] = m1;
    out[3] = m2;
    out[4] = density_lower;
    out[5] = density_upper;
    out[6] = relative;
}

SAFETRUNC_FUNCTION void safetrunc_one_sided(double mu, double sigma, double bound, double side,
                                            double out[7])
{
    double a = side * safetrunc_distance(bound, mu, sigma);
    double anchor, relative, m1, m2, near;
    if (a >= 0.0) {
        if (a == INFINITY) {
            safetrunc_fill(out, mu, INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0);
            return;
        }
        double r[2];
        safetrunc_tail_ratios(a, r);
        anchor = bound;
        relative = near = a + r[0];
        m1 = r[0];
        m2 = 2.0 * r[0] * r[1];
    } else {
        double inverse_mass = 1.0;
        near = safetrunc_density(a);
        m2 = 1.0;
        if (near > 0.0) {
            double q[2];
            safetrunc_mills_quotient(-a, q);
            inverse_mass = q[1] / (q[1] - near * q[0]);
            near *= inverse_mass;
            m2 += a * near;
        }
        anchor = mu;
        relative = SAFETRUNC_INV_SQRT_2PI * inverse_mass;
        m1 = near;
    }
    near = safetrunc_distance(near, 0.0, sigma);
    double log_mass =
        safetrunc_log_mass_from(safetrunc_distance(relative, 0.0, sigma), relative, sigma);
    safetrunc_fill(out, anchor, log_mass, side * m1, m2, side > 0.0 ? near : 0.0,
                   side > 0.0 ? 0.0 : near, relative);
}

SAFETRUNC_FUNCTION double safetrunc_middle_of(double lower, double upper, double sigma,
                                              double *offset)
{
    double middle = lower + 0.5 * (upper - lower);
    *offset = 0.5 * safetrunc_distance(upper - middle, middle - lower, sigma);
    return middle;
}

SAFETRUNC_FUNCTION void safetrunc_two_sided(double mu, double sigma, double lower, double upper,
                                            double out[7])
{
    double a = safetrunc_distance(lower, mu, sigma);
    double b = safetrunc_distance(upper, mu, sigma);
    double d = safetrunc_distance(upper, lower, sigma);
    double delta = d * (a + 0.5 * d);

    if (fabs(delta) < SAFETRUNC_NARROW_DELTA && d < SAFETRUNC_NARROW_WIDTH) {
        double n[3], offset;
        safetrunc_narrow_moments(0.5 * delta, 0.25 * d * d, n);
        double anchor = safetrunc_middle_of(lower, upper, sigma, &offset);
        double kappa = safetrunc_distance(anchor, mu, sigma);
        double mass = (upper - lower) * n[0];
        double log_mass = log(mass) - offset * (kappa + 0.5 * offset);
        double step = d * n[1];
        double m2 = d * d * n[2] + offset * (2.0 * step + offset);
        double at_ends = exp(-0.125 * d * d) / mass;
        double tilt = exp(0.5 * delta);
        double relative = exp(offset * (kappa + 0.5 * offset)) / (d * n[0]);
        safetrunc_fill(out, anchor, log_mass, offset + step, m2, at_ends * tilt, at_ends / tilt,
                       relative);
        return;
    }

    double anchor = lower, side = 1.0, relative, m1, m2, near, far;
    if (a + b < 0.0) {
        double swapped = -a;
        a = -b;
        b = swapped;
        delta = d * (a + 0.5 * d);
        anchor = upper;
        side = -1.0;
    }
    if (a >= 0.0) {
        if (a == INFINITY) {
            safetrunc_fill(out, mu, INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0);
            return;
        }
        double r[2];
        safetrunc_tail_ratios(a, r);
        double hazard = a + r[0], e = delta < SAFETRUNC_UNDERFLOW ? exp(-delta) : 0.0;
        m1 = r[0];
        m2 = 2.0 * r[0] * r[1];
        if (delta < SAFETRUNC_FAR_DELTA) {
            double s[2];
            safetrunc_tail_ratios(b, s);
            double rho = e * hazard / (b + s[0]);
            double inverse = 1.0 / (1.0 - rho);
            m1 = (m1 - rho * (s[0] + d)) * inverse;
            m2 = (m2 - rho * (2.0 * s[0] * s[1] + d * (2.0 * s[0] + d))) * inverse;
            hazard *= inverse;
        }
        near = safetrunc_distance(hazard, 0.0, sigma);
        far = safetrunc_distance(e * hazard, 0.0, sigma);
        relative = hazard;
    } else {
        double q[2], mass = 1.0;
        near = safetrunc_density(a);
        far = safetrunc_density(b);
        if (a > -SAFETRUNC_FAR_BOUND) {
            safetrunc_mills_quotient(-a, q);
            mass -= near * (q[0] / q[1]);
        }
        if (b < SAFETRUNC_FAR_BOUND) {
            safetrunc_mills_quotient(b, q);
            mass -= far * (q[0] / q[1]);
        }
        double inverse = 1.0 / mass;
        near *= inverse;
        far *= inverse;
        m1 = near - far;
        m2 = 1.0;
        if (near > 0.0) m2 += a * near;
        if (far > 0.0) m2 -= b * far;
        anchor = mu;
        relative = SAFETRUNC_INV_SQRT_2PI * inverse;
        near = safetrunc_distance(near, 0.0, sigma);
        far = safetrunc_distance(far, 0.0, sigma);
    }
    double log_mass =
        safetrunc_log_mass_from(safetrunc_distance(relative, 0.0, sigma), relative, sigma);
    safetrunc_fill(out, anchor, log_mass, side * m1, m2, side > 0.0 ? near : far,
                   side > 0.0 ? far : near, relative);
}

SAFETRUNC_FUNCTION void safetrunc_law(double mu, double sigma, double lower, double upper,
                                      double out[7])
{
    if (!safetrunc_is_legal(mu, sigma, lower, upper))
        safetrunc_fill(out, NAN, NAN, NAN, NAN, NAN, NAN, NAN);
    else if (upper == INFINITY)
        safetrunc_one_sided(mu, sigma, lower, 1.0, out);
    else if (lower == -INFINITY)
        safetrunc_one_sided(mu, sigma, upper, -1.0, out);
    else
        safetrunc_two_sided(mu, sigma, lower, upper, out);
}

SAFETRUNC_FUNCTION void safetrunc_normalizer(double mu, double sigma, double lower, double upper,
                                             double out[6])
{
    double law[7];
    safetrunc_law(mu, sigma, lower, upper, law);
    for (int i = 0; i < 6; i++) out[i] = law[i];
}

SAFETRUNC_FUNCTION void safetrunc_curvature(double mu, double sigma, double lower, double upper,
                                            double out[3])
{
    if (!safetrunc_is_legal(mu, sigma, lower, upper)) {
        out[0] = out[1] = out[2] = NAN;
        return;
    }
    double a = safetrunc_distance(lower, mu, sigma);
    double b = safetrunc_distance(upper, mu, sigma);
    double d = safetrunc_distance(upper, lower, sigma);
    double delta = d * (a + 0.5 * d);

    if (fabs(delta) < SAFETRUNC_NARROW_DELTA_2 && d < SAFETRUNC_NARROW_WIDTH_2) {
        double c[4], origin;
        safetrunc_four_narrow_moments(0.5 * delta, 0.25 * d * d, c);
        double variance = c[1] - c[0] * c[0];
        double skew = d * (c[2] - c[0] * c[1]);
        double spread = d * d * (c[3] - c[1] * c[1]);
        if (fabs(delta) < SAFETRUNC_NARROW_DELTA && d < SAFETRUNC_NARROW_WIDTH)
            safetrunc_middle_of(lower, upper, sigma, &origin);
        else if (a >= 0.0)
            origin = 0.5 * d;
        else if (b <= 0.0)
            origin = -0.5 * d;
        else
            origin = a + 0.5 * d;
        out[0] = d * d * variance;
        out[1] = d * d * (skew + 2.0 * origin * variance);
        out[2] = d * d * (spread + 4.0 * origin * (skew + origin * variance));
        return;
    }

    double m1, m2, m3, m4, side = 1.0;
    if (a + b < 0.0) {
        double swapped = -a;
        a = -b;
        b = swapped;
        delta = d * (a + 0.5 * d);
        side = -1.0;
    }
    if (a >= 0.0) {
        if (a == INFINITY) {
            out[0] = out[1] = out[2] = 0.0;
            return;
        }
        double r[4];
        safetrunc_four_tail_ratios(a, r);
        m1 = r[0];
        m2 = 2.0 * m1 * r[1];
        m3 = 3.0 * m2 * r[2];
        m4 = 4.0 * m3 * r[3];
        if (delta < SAFETRUNC_FAR_DELTA) {
            double s[4];
            safetrunc_four_tail_ratios(b, s);
            double g1 = s[0], g2 = 2.0 * g1 * s[1], g3 = 3.0 * g2 * s[2], g4 = 4.0 * g3 * s[3];
            double rho = exp(-delta) * (a + r[0]) / (b + g1);
            double scale = 1.0 / (1.0 - rho);
            m1 = (m1 - rho * (g1 + d)) * scale;
            m2 = (m2 - rho * (g2 + d * (2.0 * g1 + d))) * scale;
            m3 = (m3 - rho * (g3 + d * (3.0 * g2 + d * (3.0 * g1 + d)))) * scale;
            m4 = (m4 - rho * (g4 + d * (4.0 * g3 + d * (6.0 * g2 + d * (4.0 * g1 + d))))) * scale;
        }
    } else {
        double r[2], mass = 1.0, near = safetrunc_density(a), far = safetrunc_density(b);
        if (near > 0.0) {
            safetrunc_tail_ratios(-a, r);
            mass -= near / (r[0] - a);
        } else {
            a = 0.0;
        }
        if (far > 0.0) {
            safetrunc_tail_ratios(b, r);
            mass -= far / (r[0] + b);
        } else {
            b = 0.0;
        }
        near /= mass;
        far /= mass;
        m1 = near - far;
        m2 = 1.0 + a * near - b * far;
        m3 = 2.0 * m1 + a * a * near - b * b * far;
        m4 = 3.0 * m2 + a * a * a * near - b * b * b * far;
    }
    out[0] = m2 - m1 * m1;
    out[1] = side * (m3 - m1 * m2);
    out[2] = m4 - m2 * m2;
}

SAFETRUNC_FUNCTION double safetrunc_log_density(double x, double mu, double sigma, double anchor,
                                                double log_mass)
{
    double s = safetrunc_distance(x, anchor, sigma);
    double kappa = safetrunc_distance(anchor, mu, sigma);
    return -s * (kappa + 0.5 * s) - log_mass;
}

SAFETRUNC_FUNCTION double safetrunc_upper_tail(double z)
{
    double r[2];
    safetrunc_tail_ratios(z, r);
    return safetrunc_density(z) / (z + r[0]);
}

SAFETRUNC_FUNCTION double safetrunc_log_interval(double a, double b)
{
    if (a == b) return -INFINITY;
    if (a < 0.0 && 0.0 < b && b - a > SAFETRUNC_CENTRAL_WIDTH)
        return log1p(-(safetrunc_upper_tail(-a) + safetrunc_upper_tail(b)));
    double law[7];
    safetrunc_law(0.0, 1.0, a, b, law);
    return law[1] - SAFETRUNC_HALF_LOG_2PI - 0.5 * law[0] * law[0];
}

SAFETRUNC_FUNCTION double safetrunc_stirling_error(double x)
{
    if (x >= SAFETRUNC_SERIES_FROM) {
        double w = 1.0 / x, s = w * w;
        double tail = 1.0 / 1188.0 + s * (-691.0 / 360360.0 + s / 156.0);
        return w * (1.0 / 12.0 + s * (-1.0 / 360.0
            + s * (1.0 / 1260.0 + s * (-1.0 / 1680.0 + s * tail))));
    }
    if (x > 0.0) return lgamma(x + 1.0) - (x + 0.5) * log(x) + x - SAFETRUNC_HALF_LOG_2PI;
    return x == 0.0 ? INFINITY : NAN;
}

SAFETRUNC_FUNCTION double safetrunc_near_deviance(double x, double mean, double v)
{
    double s = v * v;
    double tail = 1.0 / 11.0 + s * (1.0 / 13.0 + s * (1.0 / 15.0 + s * (1.0 / 17.0 + s / 19.0)));
    double series = 1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0 + s * tail)));
    return (x - mean) * v + 2.0 * x * v * s * series;
}

SAFETRUNC_FUNCTION double safetrunc_deviance(double x, double mean)
{
    double v = (x - mean) / (x + mean);
    if (fabs(v) < SAFETRUNC_NEAR) return safetrunc_near_deviance(x, mean, v);
    double ratio = x / mean;
    if (ratio > 0.0) return x * log(ratio) + mean - x;
    return ratio == 0.0 ? mean : NAN;
}

SAFETRUNC_FUNCTION double safetrunc_relative_gamma(double alpha, double z, double log_ratio)
{
    if (alpha > SAFETRUNC_SERIES_FROM) {
        double v = (alpha - z) / (alpha + z);
        if (fabs(v) < SAFETRUNC_NEAR) return log_ratio - safetrunc_near_deviance(alpha, z, v);
    }
    return (1.0 - alpha) * log_ratio + alpha - z;
}

SAFETRUNC_FUNCTION double safetrunc_exp_minus(double x, double one)
{
    if (x > SAFETRUNC_LOG_LARGEST) return INFINITY;
    return one == 0.0 ? exp(x) : expm1(x);
}

SAFETRUNC_FUNCTION double safetrunc_log_plus(double x, double one)
{
    double y = x + one;
    if (one == 0.0) return x > 0.0 ? log(x) : (x == 0.0 ? -INFINITY : NAN);
    if (y == 1.0 || y == INFINITY) return x;
    if (y > 0.0) return log(y) * (x / (y - 1.0));
    return y == 0.0 ? -INFINITY : NAN;
}

SAFETRUNC_FUNCTION double safetrunc_log1mexp(double x)
{
    if (x > SAFETRUNC_LOG_2) return log1p(-exp(-x));
    if (x > 0.0) return log(-expm1(-x));
    return x == 0.0 ? -INFINITY : NAN;
}

SAFETRUNC_FUNCTION double safetrunc_log1p_square(double z)
{
    if (fabs(z) > SAFETRUNC_SQUARE_IS_ALL) return 2.0 * log(fabs(z));
    return safetrunc_log_plus(z * z, 1.0);
}

SAFETRUNC_FUNCTION double safetrunc_log1p_square_slope(double z)
{
    if (fabs(z) > SAFETRUNC_SQUARE_IS_ALL) return 2.0 / z;
    return 2.0 * z / (1.0 + z * z);
}

SAFETRUNC_FUNCTION double safetrunc_two_sum(double a, double b, double *error)
{
    double total = a + b, rest = total - a;
    *error = (a - (total - rest)) + (b - rest);
    return total;
}

SAFETRUNC_FUNCTION double safetrunc_two_product(double a, double b, double *error)
{
    double product = a * b;
    double scaled = SAFETRUNC_SPLITTER * a;
    double a_high = scaled - (scaled - a), a_low = a - a_high;
    scaled = SAFETRUNC_SPLITTER * b;
    double b_high = scaled - (scaled - b), b_low = b - b_high;
    *error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return product;
}

SAFETRUNC_FUNCTION double safetrunc_log_density_ratio(double x, double origin, double mu,
                                                      double sigma, double *rest)
{
    double step_rest, right_rest, left_rest, both_rest, top_rest, bottom_rest, product_rest;
    double step = safetrunc_two_sum(x, -origin, &step_rest);
    double right = safetrunc_two_sum(x, -mu, &right_rest);
    double left = safetrunc_two_sum(origin, -mu, &left_rest);
    double both = safetrunc_two_sum(right, left, &both_rest);
    both_rest += right_rest + left_rest;
    double top = safetrunc_two_product(-step, both, &top_rest);
    top_rest -= step * both_rest + step_rest * both;
    double bottom = safetrunc_two_product(2.0 * sigma, sigma, &bottom_rest);
    double ratio = top / bottom;
    double product = safetrunc_two_product(ratio, bottom, &product_rest);
    *rest = (((top - product) - product_rest) + top_rest - ratio * bottom_rest) / bottom;
    if (!(fabs(*rest) < INFINITY)) *rest = 0.0;
    return ratio;
}

SAFETRUNC_FUNCTION double safetrunc_rough_normal_quantile(double p)
{
    double t = sqrt(-2.0 * log(p));
    double top = 2.515517 + t * (0.802853 + t * 0.010328);
    return top / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
}

SAFETRUNC_FUNCTION double safetrunc_start_of(double q, double mu, double sigma, double lower,
                                             double upper)
{
    double a = safetrunc_distance(lower, mu, sigma);
    double b = safetrunc_distance(upper, mu, sigma);
    double d = safetrunc_distance(upper, lower, sigma);
    double near = lower, side = 1.0, below = q, above = 1.0 - q;
    if (a + b < 0.0) {
        double swapped = -a;
        a = -b;
        b = swapped;
        near = upper;
        side = -1.0;
        below = 1.0 - q;
        above = q;
    }
    if (a >= 0.0) {
        double delta = d * (a + 0.5 * d);
        double reach = delta < SAFETRUNC_UNDERFLOW ? -expm1(-delta) : 1.0;
        double drop = reach < 1.0 ? -log1p(-below * reach) : -log(above);
        if (drop == 0.0) return near;
        return near + side * sigma * (2.0 * drop / (a + sqrt(a * a + 2.0 * drop)));
    }
    if (d < 1.0) return near + side * below * (upper - lower);
    double left = safetrunc_upper_tail(-a), right = safetrunc_upper_tail(b);
    double inside = 1.0 - left - right;
    if (left + below * inside <= 0.5)
        return mu + side * sigma * safetrunc_rough_normal_quantile(left + below * inside);
    return mu - side * sigma * safetrunc_rough_normal_quantile(right + above * inside);
}

SAFETRUNC_FUNCTION double safetrunc_beside_bound(double x, double bound, double linear_step,
                                                 int rising)
{
    double linear = bound + linear_step;
    return (rising ? linear < x : linear > x) ? linear : x;
}

SAFETRUNC_FUNCTION double safetrunc_solve(double q, double mu, double sigma, double lower,
                                          double upper)
{
    double law[7], part[7];
    safetrunc_law(mu, sigma, lower, upper, law);
    double anchor = law[0], low = lower, high = upper, tail;
    double x = safetrunc_start_of(q, mu, sigma, lower, upper);
    if (q <= 0.5) {
        tail = q;
        if (law[4] > 0.0) x = safetrunc_beside_bound(x, lower, tail / law[4], lower < mu);
    } else {
        tail = 1.0 - q;
        if (law[5] > 0.0) x = -safetrunc_beside_bound(-x, -upper, tail / law[5], upper > mu);
    }
    if (!(low < x && x < high)) x = anchor + sigma * law[2];
    for (int i = 0; i < SAFETRUNC_MAX_STEPS && low < x && x < high; i++) {
        double slope, rest, step, following;
        if (q <= 0.5) {
            safetrunc_law(mu, sigma, lower, x, part);
            slope = part[5];
        } else {
            safetrunc_law(mu, sigma, x, upper, part);
            slope = -part[4];
        }
        if (slope == 0.0) {
            x = 0.5 * (x + anchor);
            continue;
        }
        double ratio = safetrunc_log_density_ratio(part[0], anchor, mu, sigma, &rest);
        double relative = law[6] / part[6] / tail
                          * exp(ratio > -SAFETRUNC_UNDERFLOW ? ratio : -SAFETRUNC_UNDERFLOW);
        if (1e-8 < relative && relative < 1e8)
            step = -(log(relative) + rest) / slope;
        else if (part[6] < INFINITY && fabs(slope) < INFINITY)
            step = -(log(law[6]) - log(part[6]) + ratio - log(tail)) / slope;
        else
            break;
        following = x + step;
        if (step < 0.0) {
            high = x;
            if (!(following > low)) following = 0.5 * (low + x);
        } else {
            low = x;
            if (!(following < high)) following = 0.5 * (high + x);
        }
        if (following == x) break;
        x = following;
    }
    return x < lower ? lower : (x > upper ? upper : x);
}

SAFETRUNC_FUNCTION double safetrunc_quantile(double q, double mu, double sigma, double lower,
                                             double upper)
{
    double law[7];
    safetrunc_law(mu, sigma, lower, upper, law);
    if (isnan(law[1]) || !(0.0 <= q && q <= 1.0)) return NAN;
    if (q == 0.0) return lower;
    if (q == 1.0) return upper;
    if (law[1] == INFINITY) return mu < lower ? lower : (mu > upper ? upper : mu);
    if (SAFETRUNC_SMALLEST_SQUARED < sigma && sigma < SAFETRUNC_LARGEST_SQUARED)
        return safetrunc_solve(q, mu, sigma, lower, upper);
    double x = law[0]
               + sigma * safetrunc_solve(q, safetrunc_distance(mu, law[0], sigma), 1.0,
                                         safetrunc_distance(lower, law[0], sigma),
                                         safetrunc_distance(upper, law[0], sigma));
    return x < lower ? lower : (x > upper ? upper : x);
}
